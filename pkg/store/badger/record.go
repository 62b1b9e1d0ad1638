package badger

import (
	"encoding/binary"
	"encoding/json"
	"errors"
	"fmt"
	"hash/crc32"

	"github.com/tuned-hpo/tuned/pkg/experiment"
	"github.com/tuned-hpo/tuned/pkg/store"
)

const (
	recordVersion = 1
	recordFrame   = 1 + 4 + 4 // bytes around the payload
	maxPayload    = 512 << 10 // bytes; Badger keeps values up to 1 MiB beside their keys
)

var castagnoli = crc32.MakeTable(crc32.Castagnoli)

// seal frames a payload: version, length, payload, CRC-32C of the key and all before. The key is
// part of the sum, so that a record under another one's key is noticed.
func seal(key, payload []byte) []byte {
	out := make([]byte, 0, recordFrame+len(payload))
	out = append(out, recordVersion)
	out = binary.LittleEndian.AppendUint32(out, uint32(len(payload)))
	out = append(out, payload...)
	return binary.LittleEndian.AppendUint32(out, recordSum(key, out))
}

func recordSum(key, framed []byte) uint32 {
	return crc32.Update(crc32.Checksum(key, castagnoli), castagnoli, framed)
}

// unseal returns the payload of a record, a part of it.
func unseal(key, record []byte) ([]byte, error) {
	body := len(record) - 4
	switch {
	case len(record) < recordFrame:
		return nil, fmt.Errorf("record %q has %d bytes, want at least %d: %w", key, len(record), recordFrame, store.ErrCorrupt)
	case recordSum(key, record[:body]) != binary.LittleEndian.Uint32(record[body:]):
		return nil, fmt.Errorf("record %q: checksum does not match: %w", key, store.ErrCorrupt)
	case record[0] != recordVersion:
		return nil, fmt.Errorf("record %q has version %d, want %d: %w", key, record[0], recordVersion, store.ErrCorrupt)
	case int(binary.LittleEndian.Uint32(record[1:])) != len(record)-recordFrame:
		return nil, fmt.Errorf("record %q: length does not match: %w", key, store.ErrCorrupt)
	}
	return record[5:body], nil
}

// meta is what the store says of itself.
type meta struct {
	format      uint64
	seq         uint64 // of the last group commit
	oldest      uint64 // of the chain's records that are kept
	experiments uint64 // how many there are
	lastID      uint64 // given to an experiment
}

func (m *meta) numbers() []*uint64 {
	return []*uint64{&m.format, &m.seq, &m.oldest, &m.experiments, &m.lastID}
}

// totals is what belongs to an experiment, by which a short scan is noticed.
type totals struct {
	revision uint64
	trials   uint64
	events   uint64
	streams  uint64
}

func (c *totals) numbers() []*uint64 {
	return []*uint64{&c.revision, &c.trials, &c.events, &c.streams}
}

// head is what there is of a stream.
type head struct {
	last   uint64 // sequence number
	blocks uint64
}

func (h *head) numbers() []*uint64 { return []*uint64{&h.last, &h.blocks} }

// number is a payload of one number.
type number uint64

func (n *number) numbers() []*uint64 { return []*uint64{(*uint64)(n)} }

// counters is a payload that is a row of varints.
type counters interface{ numbers() []*uint64 }

func encodeCounters(c counters) []byte {
	var out []byte
	for _, n := range c.numbers() {
		out = binary.AppendUvarint(out, *n)
	}
	return out
}

var errShort = errors.New("payload ends early")

func decodeCounters(payload []byte, c counters) error {
	for _, n := range c.numbers() {
		v, size := binary.Uvarint(payload)
		if size <= 0 {
			return errShort
		}
		*n, payload = v, payload[size:]
	}
	return nil
}

// trialHead is what the writer must know of a trial; it precedes the trial's JSON.
type trialHead struct {
	attempt uint64
	final   uint64 // 1: it is
}

func (h *trialHead) numbers() []*uint64 { return []*uint64{&h.attempt, &h.final} }

func headOf(t *experiment.Trial) trialHead {
	h := trialHead{attempt: uint64(t.Attempt)}
	if t.State.Final() {
		h.final = 1
	}
	return h
}

func encodeTrial(t *experiment.Trial) ([]byte, error) {
	if t.Attempt < 0 {
		return nil, fmt.Errorf("trial %d: attempt %d is negative: %w", t.Number, t.Attempt, store.ErrInvalid)
	}
	body := *t
	body.Note = experiment.Note{} // which has a record of its own
	text, err := encodeJSON(&body)
	if err != nil {
		return nil, fmt.Errorf("trial %d: %w", t.Number, err)
	}
	h := headOf(t)
	return append(encodeCounters(&h), text...), nil
}

func decodeTrial(payload []byte, t *experiment.Trial, r *trialReader) error {
	for range 2 { // attempt and final
		_, size := binary.Uvarint(payload)
		if size <= 0 {
			return errShort
		}
		payload = payload[size:]
	}
	return r.read(payload, t)
}

// encodeJSON refuses what is too large for one record.
func encodeJSON(v any) ([]byte, error) {
	text, err := json.Marshal(v)
	if err != nil {
		return nil, fmt.Errorf("%w: %w", err, store.ErrInvalid)
	}
	if len(text) > maxPayload-32 { // a trial's head takes at most 20
		return nil, fmt.Errorf("takes %d bytes, at most %d can be stored: %w", len(text), maxPayload-32, store.ErrInvalid)
	}
	return text, nil
}
