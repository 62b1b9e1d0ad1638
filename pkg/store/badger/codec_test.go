package badger

import (
	"bytes"
	"encoding/binary"
	"errors"
	"math"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"
	"pgregory.net/rapid"

	"github.com/tuned-hpo/tuned/pkg/experiment"
	"github.com/tuned-hpo/tuned/pkg/store"
)

// Keys tell experiments apart, sort as their names do, and can be read back.
func TestNameKey(t *testing.T) {
	text := rapid.OneOf(rapid.StringOfN(rapid.RuneFrom([]rune{0, 1, '/', 'a', 255}), 0, 4, -1), rapid.String())
	rapid.Check(t, func(rt *rapid.T) {
		a := experiment.Key{Namespace: text.Draw(rt, "namespace"), Name: text.Draw(rt, "name")}
		b := experiment.Key{Namespace: text.Draw(rt, "other namespace"), Name: text.Draw(rt, "other name")}
		if got, ok := parseNameKey(nameKey(a)); !ok || got != a {
			rt.Errorf("got %q, %t, want %q", got, ok, a)
		}
		want := bytes.Compare([]byte(a.Namespace), []byte(b.Namespace))
		if want == 0 {
			want = bytes.Compare([]byte(a.Name), []byte(b.Name))
		}
		if got := bytes.Compare(nameKey(a), nameKey(b)); got != want {
			rt.Errorf("keys of %q and %q compare as %d, want %d", a, b, got, want)
		}
		s := experiment.Stream{Number: rapid.Uint64().Draw(rt, "number"), Attempt: rapid.IntRange(0, math.MaxInt).Draw(rt, "attempt"), Source: a.Name}
		key := blockKey(7, s, 9)
		got, rest, ok := parseStreamKey(key)
		if !ok || got != s || len(rest) != 8 || lastNumber(key) != 9 || keyID(key) != 7 {
			rt.Errorf("got %v and %x, want %v", got, rest, s)
		}
	})
}

func TestBlock(t *testing.T) {
	one := rapid.Custom(func(rt *rapid.T) experiment.Measurement {
		return experiment.Measurement{
			Time: time.Unix(rapid.Int64().Draw(rt, "second"), rapid.Int64Range(0, 999_999_999).Draw(rt, "nanosecond")).UTC(),
			Step: rapid.Int64().Draw(rt, "step"), Value: math.Float64frombits(rapid.Uint64().Draw(rt, "value")),
			Metric: rapid.SampledFrom([]string{"loss", "", "a\xffb", "acc"}).Draw(rt, "metric"), Text: rapid.String().Draw(rt, "text"),
		}
	})
	rapid.Check(t, func(rt *rapid.T) {
		ms := rapid.SliceOfN(one, 0, 20).Draw(rt, "measurements")
		for i := range ms {
			ms[i].Seq = 5 + uint64(i)
		}
		payload, n, err := encodeBlock(ms)
		if err != nil || n != len(ms) {
			rt.Fatalf("encode: got %d, %v, want %d", n, err, len(ms))
		}
		got, _, err := decodeBlock(nil, payload, 5, whole)
		if diff := cmp.Diff(got, ms, cmpopts.EquateNaNs(), cmpopts.EquateEmpty()); err != nil || diff != "" {
			rt.Fatalf("%v: got (-), want (+):\n%s", err, diff)
		}
		if cut := rapid.IntRange(0, len(payload)-1).Draw(rt, "cut"); cut < len(payload) {
			if _, _, err := decodeBlock(nil, payload[:cut], 5, whole); err == nil {
				rt.Errorf("%d of %d bytes: got no error", cut, len(payload))
			}
		}
	})
}

// FuzzBlock looks for payloads that make the reader panic or take memory beyond reason.
func FuzzBlock(f *testing.F) {
	payload, _, err := encodeBlock([]experiment.Measurement{childMeasurement(1), childMeasurement(2)})
	if err != nil {
		f.Fatal(err)
	}
	f.Add(payload)
	f.Add([]byte{255, 255, 255, 255, 255, 255, 255, 255, 255, 1})
	f.Fuzz(func(t *testing.T, payload []byte) {
		ms, _, err := decodeBlock(nil, payload, 1, whole)
		if err == nil && uint64(len(ms)) != blockCount(payload) {
			t.Errorf("got %d measurements, want %d", len(ms), blockCount(payload))
		}
	})
}

// Each damaged bit of a record is noticed, and a record under another key too.
func TestRecord(t *testing.T) {
	key := []byte("key")
	record := seal(key, []byte("payload"))
	if got, err := unseal(key, record); err != nil || string(got) != "payload" {
		t.Errorf("got %q, %v, want payload", got, err)
	}
	for bit := range len(record) * 8 {
		damaged := bytes.Clone(record)
		damaged[bit/8] ^= 1 << (bit % 8)
		if _, err := unseal(key, damaged); !errors.Is(err, store.ErrCorrupt) {
			t.Errorf("bit %d: got %v, want %v", bit, err, store.ErrCorrupt)
		}
	}
	for size := range record {
		if _, err := unseal(key, record[:size]); !errors.Is(err, store.ErrCorrupt) {
			t.Errorf("%d bytes: got %v, want %v", size, err, store.ErrCorrupt)
		}
	}
	if _, err := unseal([]byte("kez"), record); !errors.Is(err, store.ErrCorrupt) {
		t.Errorf("another key: got %v, want %v", err, store.ErrCorrupt)
	}
}

// FuzzRecord looks for records that make a reader panic, and for those that are read as something else than was
// written.
func FuzzRecord(f *testing.F) {
	key := []byte("key")
	trial, err := encodeTrial(&experiment.Trial{Number: 1, Name: "t", Attempt: 1, State: experiment.TrialSucceeded})
	if err != nil {
		f.Fatal(err)
	}
	for _, payload := range [][]byte{nil, trial, encodeCounters(&meta{1, 2, 3, 4, 5}), []byte("{}")} {
		f.Add(seal(key, payload))
	}
	f.Fuzz(func(t *testing.T, record []byte) {
		payload, err := unseal(key, record)
		if err == nil && !bytes.Equal(seal(key, payload), record) {
			t.Errorf("%x is read as %x", record, payload)
		}
		if err != nil {
			payload = record // as if its sum were right
		}
		var trial experiment.Trial
		_ = decodeTrial(payload, &trial, &trialReader{}) // what follows a sum that is right was written so
		for _, c := range []counters{&meta{}, &totals{}, &head{}, &trialHead{}, new(number)} {
			_ = decodeCounters(payload, c)
		}
		_, _ = parseNameKey(record)
	})
}

// FuzzWatermark looks for files that are read as a number that was not written.
func FuzzWatermark(f *testing.F) {
	dir := f.TempDir()
	for _, seq := range []uint64{0, 1, math.MaxUint64} {
		w, err := createWatermark(dir, seq)
		if err != nil {
			f.Fatal(err)
		}
		text, err := os.ReadFile(filepath.Join(dir, watermarkName))
		if err = errors.Join(err, w.file.Close()); err != nil {
			f.Fatal(err)
		}
		f.Add(text)
	}
	f.Fuzz(func(t *testing.T, text []byte) {
		seq, err := parseWatermark(text)
		if (err != nil) != errors.Is(err, store.ErrCorrupt) {
			t.Errorf("got %v, want %v or none", err, store.ErrCorrupt)
		}
		number := binary.LittleEndian.AppendUint64([]byte(watermarkMagic), seq)
		if err == nil && !bytes.Contains(text, number) {
			t.Errorf("%x is read as %d, which is not in it", text, seq)
		}
	})
}
