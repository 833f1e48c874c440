// Replays an arrival trace into libwebrtc's receiver, whose jitter buffer is
// NetEq, in real time: a call within this process, over loopback, whose RTP
// packets a relay delays and drops as the trace says.
//
//   node replay.js speech.raw heard.raw <trace
//
// speech.raw is mono, 48 kHz, 16 bit. The trace is one line a packet of 20 ms:
// when it arrives, in ms since the first was sent, or -1. The output is one
// JSON object: libwebrtc's own statistics each 200 ms, and what the relay did.
'use strict';
const dgram = require('dgram');
const fs = require('fs');
const { RTCPeerConnection, nonstandard: { RTCAudioSource, RTCAudioSink } } = require('@roamhq/wrtc');

const opus = 111; // libwebrtc's payload type
const trace = fs.readFileSync(0, 'utf8').trim().split('\n').map(Number);
const speech = fs.readFileSync(process.argv[2]);
const heard = fs.openSync(process.argv[3], 'w');

const sleep = ms => new Promise(done => setTimeout(done, ms));
const now = () => Number(process.hrtime.bigint()) / 1e6;

// A relay has a socket for each side. What a comes by leaves by b.
async function relay() {
  const side = async () => {
    const socket = dgram.createSocket({ type: 'udp4', recvBufferSize: 1 << 20 });
    await new Promise(done => socket.bind(0, '127.0.0.1', done));
    return { socket, peer: 0 };
  };
  const r = { a: await side(), b: await side(), first: -1, begin: 0, sent: 0, dropped: 0, late: 0 };
  const due = []; // in the order of their time
  r.a.socket.on('message', packet => {
    const forward = () => r.b.peer && r.b.socket.send(packet, r.b.peer, '127.0.0.1');
    if (packet[0] >> 6 !== 2 || (packet[1] & 127) !== opus) return forward();
    const seq = packet.readUInt16BE(2);
    if (r.first < 0) { r.first = seq; r.begin = now(); }
    const at = trace[(seq - r.first) & 0xffff];
    r.sent++;
    if (at === undefined || at < 0) return void r.dropped++;
    const entry = { at: r.begin + at, forward };
    let i = due.length;
    while (i > 0 && due[i - 1].at > entry.at) i--;
    due.splice(i, 0, entry);
  });
  setInterval(() => {
    for (; due.length > 0 && due[0].at <= now(); due.shift().forward()) r.late = Math.max(r.late, now() - due[0].at);
  }, 1);
  r.b.socket.on('message', packet => r.a.socket.send(packet, r.a.peer, '127.0.0.1'));
  return r;
}

// through has a description name the relay's port in place of its own.
function through(description, near, far) {
  const lines = [];
  for (const line of description.sdp.split('\r\n')) {
    if (!line.startsWith('a=candidate')) { lines.push(line); continue; }
    const fields = line.split(' ');
    if (fields[2] !== 'udp' || fields[4] !== '127.0.0.1') continue;
    near.peer = Number(fields[5]);
    fields[5] = far.socket.address().port;
    lines.push(fields.join(' '));
  }
  return { type: description.type, sdp: lines.join('\r\n') };
}

const gathered = pc => new Promise(done => {
  if (pc.iceGatheringState === 'complete') done();
  pc.onicegatheringstatechange = () => pc.iceGatheringState === 'complete' && done();
});

async function main() {
  const r = await relay();
  const a = new RTCPeerConnection(), b = new RTCPeerConnection();
  const source = new RTCAudioSource();
  a.addTrack(source.createTrack());
  b.ontrack = event => {
    new RTCAudioSink(event.track).ondata = ({ samples }) => fs.writeSync(heard, Buffer.from(samples.buffer, samples.byteOffset, samples.byteLength));
  };
  await a.setLocalDescription(await a.createOffer());
  await gathered(a);
  await b.setRemoteDescription(through(a.localDescription, r.a, r.b));
  await b.setLocalDescription(await b.createAnswer());
  await gathered(b);
  await a.setRemoteDescription(through(b.localDescription, r.b, r.a));
  while (a.connectionState !== 'connected' || b.connectionState !== 'connected') await sleep(10);

  const begin = now(), end = begin + trace.length * 20;
  const samples = [];
  let frame = 0, next = 0;
  while (now() < end) {
    for (; begin + frame * 10 <= now(); frame++) {
      const at = frame * 960 % (speech.length - 960);
      source.onData({ samples: new Int16Array(speech.buffer.slice(speech.byteOffset + at, speech.byteOffset + at + 960)), sampleRate: 48000 });
    }
    if (begin + next * 200 <= now()) {
      next++;
      for (const s of (await b.getStats()).values()) if (s.type === 'inbound-rtp') samples.push(s);
    }
    await sleep(2);
  }
  fs.writeFileSync(1, JSON.stringify({ sent: r.sent, dropped: r.dropped, relayLateMS: r.late, samples }));
  process.exit(0);
}

main().catch(err => { console.error(err); process.exit(1); });
