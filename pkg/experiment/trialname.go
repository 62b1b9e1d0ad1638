package experiment

import (
	"crypto/sha256"
	"encoding/binary"
	"fmt"
	"strconv"
	"strings"
)

// FindTrial returns the trial that a person means by its name or its number. No name is a number, see
// TrialName. It searches from the end: it is mostly the newest trials that are looked for.
func FindTrial(trials []Trial, nameOrNumber string) (Trial, bool) {
	for i := len(trials) - 1; i >= 0; i-- {
		if t := &trials[i]; t.Name == nameOrNumber || strconv.FormatUint(t.Number, 10) == nameOrNumber {
			return *t, true
		}
	}
	return Trial{}, false
}

// nameAlphabet is what Kubernetes takes for generated names, and Katib for trials: no vowel, so no
// word, and nothing that is easily misread.
const nameAlphabet = "bcdfghjklmnpqrstvwxz2456789"

const (
	suffixLength = 8
	suffixHalf   = 27 * 27 * 27 * 27 // values of half a suffix
	longestLabel = 63                // of DNS, RFC 1035
)

// TrialName returns the name of an experiment's trial, <experiment>-<8 characters>. It is a function
// of its arguments, and a DNS label; the experiment's name is cut where it would be too long.
// Trials of one experiment never share a name: for one uid the characters are a permutation of the
// numbers below 27^8 (2.8e11).
func TrialName(experiment, uid string, number uint64) string {
	left, right := number/suffixHalf%suffixHalf, number%suffixHalf
	// A Feistel network: each round can be undone, whatever the round function is. Four rounds make
	// a permutation that looks random (Luby and Rackoff 1988).
	for round := range uint64(4) {
		left, right = right, (left+roundValue(uid, round, right))%suffixHalf
	}
	var suffix [suffixLength]byte
	for i, v := len(suffix)-1, left*suffixHalf+right; i >= 0; i-- {
		suffix[i] = nameAlphabet[v%uint64(len(nameAlphabet))]
		v /= uint64(len(nameAlphabet))
	}
	return fmt.Sprintf("%s-%s", label(experiment, longestLabel-suffixLength-1), suffix)
}

// TrialNumber returns the number of the trial that a person means by its name or its number: it undoes
// TrialName, in the same time however many trials there are. False: it can be no trial of this experiment.
func (e *Experiment) TrialNumber(nameOrNumber string) (uint64, bool) {
	if n, err := strconv.ParseUint(nameOrNumber, 10, 64); err == nil {
		return n, n > 0 && strconv.FormatUint(n, 10) == nameOrNumber
	}
	if len(nameOrNumber) < suffixLength {
		return 0, false
	}
	v := uint64(0)
	for _, c := range []byte(nameOrNumber[len(nameOrNumber)-suffixLength:]) {
		digit := strings.IndexByte(nameAlphabet, c)
		if digit < 0 {
			return 0, false
		}
		v = v*uint64(len(nameAlphabet)) + uint64(digit)
	}
	left, right := v/suffixHalf, v%suffixHalf
	for round := uint64(4); round > 0; round-- {
		left, right = (right+suffixHalf-roundValue(e.Metadata.UID, round-1, left))%suffixHalf, left
	}
	n := left*suffixHalf + right
	return n, n > 0 && TrialName(e.Metadata.Name, e.Metadata.UID, n) == nameOrNumber
}

func roundValue(uid string, round, half uint64) uint64 {
	text := binary.BigEndian.AppendUint64([]byte(uid), round)
	text = binary.BigEndian.AppendUint64(text, half)
	sum := sha256.Sum256(text)
	return binary.BigEndian.Uint64(sum[:]) % suffixHalf
}

// label makes a DNS label of a name.
func label(name string, longest int) string {
	clean := strings.Map(func(r rune) rune {
		switch {
		case 'a' <= r && r <= 'z', '0' <= r && r <= '9':
			return r
		case 'A' <= r && r <= 'Z':
			return r - 'A' + 'a'
		}
		return '-'
	}, name)
	clean = strings.TrimLeft(clean, "-")
	clean = strings.TrimRight(clean[:min(len(clean), longest)], "-")
	if clean == "" {
		return "trial"
	}
	return clean
}
