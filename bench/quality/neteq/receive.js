// Receives a call in libwebrtc, whose jitter buffer is NetEq, in real time.
//
//   node receive.js heard.raw
//
// The first line of its output is its offer, that of its input our answer, each
// a JSON string of SDP. At the line "begin" it starts to write what is heard,
// mono of 48 kHz and 16 bit; when its input ends it prints libwebrtc's own
// statistics of the stream, one object each 200 ms, and exits.
'use strict';
const fs = require('fs');
const readline = require('readline');
const { RTCPeerConnection, nonstandard: { RTCAudioSink } } = require('@roamhq/wrtc');

async function main() {
  const heard = fs.openSync(process.argv[2], 'w');
  const pc = new RTCPeerConnection();
  const samples = [];
  let begun = false;
  pc.addTransceiver('audio', { direction: 'recvonly' });
  pc.ontrack = event => {
    new RTCAudioSink(event.track).ondata = ({ samples: pcm, sampleRate, channelCount }) => {
      // Before the first packet there is silence, of another rate.
      if (sampleRate !== 48000) pcm = new Int16Array(pcm.length * 48000 / sampleRate);
      if (channelCount !== 1) throw new Error(`${channelCount} channels`);
      if (begun) fs.writeSync(heard, Buffer.from(pcm.buffer, pcm.byteOffset, pcm.byteLength));
    };
  };
  const sample = async () => {
    for (const s of (await pc.getStats()).values()) if (s.type === 'inbound-rtp') samples.push(s);
  };
  pc.onconnectionstatechange = () => {
    if (pc.connectionState === 'failed') throw new Error('the call has failed');
  };
  await pc.setLocalDescription(await pc.createOffer());
  console.log(JSON.stringify(pc.localDescription.sdp));
  for await (const line of readline.createInterface({ input: process.stdin })) {
    if (line === 'begin') {
      begun = true;
      setInterval(sample, 200);
    } else {
      await pc.setRemoteDescription({ type: 'answer', sdp: JSON.parse(line) });
    }
  }
  await sample();
  process.stdout.write(JSON.stringify(samples) + '\n', () => process.exit(0));
}

main().catch(err => { console.error(err); process.exit(1); });
