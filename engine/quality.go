package engine

import "sotto/media"

// QualityClass is how good a call sounds, after the categories of ITU-T G.109.
type QualityClass int

// The classes, the worst first.
const (
	QualityPoor   QualityClass = iota // nearly all users are dissatisfied
	QualityLow                        // many are
	QualityMedium                     // some are
	QualityHigh                       // satisfied
)

// String is the class's name.
func (c QualityClass) String() string {
	switch c {
	case QualityHigh:
		return "high"
	case QualityMedium:
		return "medium"
	case QualityLow:
		return "low"
	}
	return "poor"
}

// qualityFloors is the least mean opinion score of each class, those of R 60,
// 70 and 80 (G.109 table 1).
var qualityFloors = [...]float64{QualityPoor: 0, QualityLow: 3.10, QualityMedium: 3.60, QualityHigh: 4.03}

// qualityMargin is how far beyond its border a score has to be for the class to
// change, so that one that wavers tells nothing new.
const qualityMargin = 0.1

// quality is the class that was told last, of one direction.
type quality struct {
	told  bool
	class QualityClass
}

// rate reports whether a score means another class than was told.
func (q *quality) rate(mos float64) (changed bool) {
	if mos == 0 { // not known
		return false
	}
	class, margin := q.class, qualityMargin
	if !q.told {
		class, margin = QualityPoor, 0
	}
	for class < QualityHigh && mos >= qualityFloors[class+1]+margin {
		class++
	}
	for class > QualityPoor && mos < qualityFloors[class]-margin {
		class--
	}
	changed = !q.told || class != q.class
	q.told, q.class = true, class
	return changed
}

// tellQuality tells how the call sounds on either side, if that has changed. It
// is called after a report was sent, so it tells no more often than that.
func (l *leg) tellQuality(s media.Stats) {
	if l.heard.rate(s.Quality.MOSCQ) {
		l.say(Quality{Class: l.heard.class, Rating: s.Quality})
	}
	if peer := s.PeerVoIP.Quality; l.heardByPeer.rate(peer.MOSCQ) {
		l.say(Quality{Remote: true, Class: l.heardByPeer.class, Rating: peer})
	}
}
