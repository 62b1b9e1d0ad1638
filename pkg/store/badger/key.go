package badger

import (
	"bytes"
	"encoding/binary"

	"github.com/tuned-hpo/tuned/pkg/experiment"
)

// The kinds of key, which is their first byte. docs/adr/001-badger-key-layout.md shows each key
// byte by byte.
const (
	kindNote       = 'a' // what a person remarked: about a trial, or as number 0 about the experiment
	kindChain      = 'c' // one per group commit: proves that no commit is missing in between
	kindEvent      = 'e'
	kindControl    = 'k' // what was done to an experiment beside its spec
	kindMeta       = 'm'
	kindName       = 'n' // namespace and name to the experiment's ID
	kindBlock      = 'o' // measurements
	kindStream     = 's' // the head of a stream
	kindTrial      = 't'
	kindTotals     = 'u' // revision of an experiment, and how many records belong to it
	kindExperiment = 'v' // an experiment without its status
	kindStatus     = 'w'
	kindTombstone  = 'x' // ID of an experiment whose records are being deleted
)

// ofExperiment are the kinds whose keys go on with an experiment's ID.
var ofExperiment = []byte{kindEvent, kindBlock, kindStream, kindTrial, kindTotals, kindExperiment, kindStatus, kindControl, kindNote}

var metaKey = []byte{kindMeta}

// idKey is the key of a kind for an experiment's ID; with more numbers it is the key of one of
// the experiment's records. Numbers are big-endian, so that keys sort as numbers do.
func idKey(kind byte, id uint64, numbers ...uint64) []byte {
	key := make([]byte, 0, 9+8*len(numbers))
	key = binary.BigEndian.AppendUint64(append(key, kind), id)
	for _, n := range numbers {
		key = binary.BigEndian.AppendUint64(key, n)
	}
	return key
}

func nameKey(k experiment.Key) []byte {
	return appendText(appendText([]byte{kindName}, k.Namespace), k.Name)
}

// parseNameKey is the inverse of nameKey.
func parseNameKey(key []byte) (k experiment.Key, ok bool) {
	if len(key) == 0 {
		return k, false
	}
	namespace, rest, ok := cutText(key[1:])
	if !ok {
		return k, false
	}
	name, rest, ok := cutText(rest)
	return experiment.Key{Namespace: namespace, Name: name}, ok && len(rest) == 0
}

// streamKey is the key of a stream's head, or with kindBlock what its blocks' keys begin with.
func streamKey(kind byte, id uint64, s experiment.Stream) []byte {
	return appendText(idKey(kind, id, s.Number, uint64(s.Attempt)), s.Source)
}

// parseStreamKey is the inverse of streamKey; rest is what follows it.
func parseStreamKey(key []byte) (s experiment.Stream, rest []byte, ok bool) {
	const numbers = 1 + 3*8
	if len(key) < numbers {
		return s, nil, false
	}
	s.Number = binary.BigEndian.Uint64(key[9:])
	s.Attempt = int(binary.BigEndian.Uint64(key[17:]))
	s.Source, rest, ok = cutText(key[numbers:])
	return s, rest, ok
}

// lastNumber returns the number that a key ends with.
func lastNumber(key []byte) uint64 {
	return binary.BigEndian.Uint64(key[len(key)-8:])
}

// appendText appends any text so that it can be told where it ends, that different texts never
// look the same, and that keys sort as the texts do: 0 becomes 0 255, the end is 0 1.
func appendText(key []byte, text string) []byte {
	for i := range len(text) {
		key = append(key, text[i])
		if text[i] == 0 {
			key = append(key, 255)
		}
	}
	return append(key, 0, 1)
}

func cutText(key []byte) (text string, rest []byte, ok bool) {
	var out []byte
	for {
		i := bytes.IndexByte(key, 0)
		if i < 0 || i+1 == len(key) {
			return "", nil, false
		}
		out = append(out, key[:i]...)
		if key[i+1] == 1 {
			return string(out), key[i+2:], true
		}
		out, key = append(out, 0), key[i+2:]
	}
}

// keyID returns the experiment's ID in the key of one of its records.
func keyID(key []byte) uint64 { return binary.BigEndian.Uint64(key[1:]) }
