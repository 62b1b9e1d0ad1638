package badger

import (
	"encoding/binary"
	"fmt"
	"math"
	"slices"
	"time"

	"github.com/tuned-hpo/tuned/pkg/experiment"
	"github.com/tuned-hpo/tuned/pkg/store"
)

// blockTarget is the size in bytes beyond which a block takes no further measurement.
const blockTarget = 128 << 10

// encodeBlock packs measurements with consecutive sequence numbers, as many as make a block. It
// returns how many it took. The layout is in docs/adr/001-badger-key-layout.md.
func encodeBlock(ms []experiment.Measurement) (payload []byte, n int, err error) {
	var body []byte
	metrics := make(map[string]uint64)
	second := int64(0)
	for n < len(ms) && len(body) < blockTarget {
		m := &ms[n]
		if size := len(m.Metric) + len(m.Text); size > maxPayload-blockTarget-64 {
			return nil, 0, fmt.Errorf("measurement %d takes %d bytes, at most %d can be stored: %w",
				m.Seq, size, maxPayload-blockTarget-64, store.ErrInvalid)
		}
		index, known := metrics[m.Metric]
		if !known {
			index = uint64(len(metrics))
			metrics[m.Metric] = index
		}
		body = binary.AppendUvarint(body, index)
		if !known {
			body = appendBytes(body, m.Metric)
		}
		body = binary.AppendVarint(body, m.Time.Unix()-second)
		second = m.Time.Unix()
		body = binary.AppendUvarint(body, uint64(m.Time.Nanosecond()))
		body = binary.AppendVarint(body, m.Step)
		body = binary.LittleEndian.AppendUint64(body, math.Float64bits(m.Value))
		body = appendBytes(body, m.Text)
		n++
	}
	return append(binary.AppendUvarint(nil, uint64(n)), body...), n, nil
}

func appendBytes(out []byte, text string) []byte {
	return append(binary.AppendUvarint(out, uint64(len(text))), text...)
}

// span is the sequence numbers from after+1 to last.
type span struct{ after, last uint64 }

// whole is all there is.
var whole = span{0, math.MaxUint64} //nolint:gochecknoglobals // constant

// count returns how many of n numbers from first on are in the span.
func (s span) count(first, n uint64) int {
	low, high := max(first-1, s.after), min(first-1+n, s.last)
	return int(max(low, high) - low)
}

// decodeBlock unpacks a block whose first measurement has the given sequence number, and appends those
// within a span to out. It returns how many the block has.
func decodeBlock(out []experiment.Measurement, payload []byte, first uint64, in span) (_ []experiment.Measurement, count uint64, err error) {
	r := reader{rest: payload}
	count = r.uvarint()
	if count > uint64(len(payload)) { // a measurement takes more than a byte
		return nil, 0, errShort
	}
	out = slices.Grow(out, in.count(first, count))
	var metrics []string
	second := int64(0)
	for i := uint64(0); i < count && !r.short; i++ {
		index := r.uvarint()
		if index == uint64(len(metrics)) {
			metrics = append(metrics, r.text())
		}
		if index >= uint64(len(metrics)) {
			return nil, 0, fmt.Errorf("metric %d of %d", index, len(metrics))
		}
		second += r.varint()
		m := experiment.Measurement{Seq: first + i, Metric: metrics[index], Time: time.Unix(second, int64(r.uvarint())).UTC()}
		m.Step = r.varint()
		m.Value = r.float()
		text := r.bytes()
		if m.Seq > in.after && m.Seq <= in.last {
			m.Text = string(text)
			out = append(out, m)
		}
	}
	if r.short || len(r.rest) > 0 {
		return nil, 0, errShort
	}
	return out, count, nil
}

// blockCount returns how many measurements a block holds.
func blockCount(payload []byte) uint64 {
	r := reader{rest: payload}
	return r.uvarint()
}

// reader takes values off the front of a payload; short tells that one was missing.
type reader struct {
	rest  []byte
	short bool
}

func (r *reader) take(n int) []byte {
	if n < 0 || n > len(r.rest) {
		r.short, r.rest = true, nil
		return nil
	}
	out := r.rest[:n]
	r.rest = r.rest[n:]
	return out
}

func (r *reader) uvarint() uint64 {
	v, n := binary.Uvarint(r.rest)
	if n <= 0 {
		n = -1
	}
	r.take(n)
	return v
}

func (r *reader) varint() int64 {
	v, n := binary.Varint(r.rest)
	if n <= 0 {
		n = -1
	}
	r.take(n)
	return v
}

func (r *reader) float() float64 {
	b := r.take(8)
	if b == nil {
		return math.NaN()
	}
	return math.Float64frombits(binary.LittleEndian.Uint64(b))
}

func (r *reader) bytes() []byte {
	n := r.uvarint()
	if n > uint64(len(r.rest)) {
		return r.take(-1)
	}
	return r.take(int(n))
}

func (r *reader) text() string { return string(r.bytes()) }
