package collector

import (
	"bytes"
	"encoding/binary"
	"fmt"
	"io"
	"math"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"google.golang.org/protobuf/encoding/protowire"
)

// record frames data as a TFRecord.
func record(data []byte) []byte {
	out := binary.LittleEndian.AppendUint64(nil, uint64(len(data)))
	out = binary.LittleEndian.AppendUint32(out, maskedCRC(out))
	out = append(out, data...)
	return binary.LittleEndian.AppendUint32(out, maskedCRC(data))
}

func field(b []byte, number protowire.Number, value []byte) []byte {
	return protowire.AppendBytes(protowire.AppendTag(b, number, protowire.BytesType), value)
}

func varintField(b []byte, number protowire.Number, v uint64) []byte {
	return protowire.AppendVarint(protowire.AppendTag(b, number, protowire.VarintType), v)
}

// event is a record with one summary value at step and 1,000,000 s + step.
func event(step int, value []byte) []byte {
	b := protowire.AppendFixed64(protowire.AppendTag(nil, eventWallTime, protowire.Fixed64Type), math.Float64bits(1e6+float64(step)))
	b = varintField(b, eventStep, uint64(step))
	return record(field(b, eventSummary, field(nil, summaryValue, value)))
}

// tf1 is a summary value as TensorFlow 1 and PyTorch write it.
func tf1(tag string, v float32) []byte {
	b := field(nil, valueTag, []byte(tag))
	return protowire.AppendFixed32(protowire.AppendTag(b, valueSimple, protowire.Fixed32Type), math.Float32bits(v))
}

// tf2 is a summary value as TensorFlow 2 writes it.
func tf2(tag, plugin string, tensor []byte) []byte {
	b := field(field(nil, valueTag, []byte(tag)), valueTensor, tensor)
	return field(b, valueMetadata, field(nil, metadataPlugin, field(nil, pluginName, []byte(plugin))))
}

func tensorOf(dtype uint64, number protowire.Number, elements []byte) []byte {
	return field(varintField(nil, tensorType, dtype), number, elements)
}

func floatTensor(v float32) []byte {
	return tensorOf(typeFloat, tensorContent, binary.LittleEndian.AppendUint32(nil, math.Float32bits(v)))
}

func writeFile(t *testing.T, path string, parts ...[]byte) {
	t.Helper()
	if err := os.MkdirAll(filepath.Dir(path), 0o700); err != nil {
		t.Fatal(err)
	}
	f, err := os.OpenFile(path, os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o600)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	for _, p := range parts {
		if _, err := f.Write(p); err != nil {
			t.Fatal(err)
		}
	}
}

func TestSummaryScalar(t *testing.T) {
	varint := func(v int64) []byte { return protowire.AppendVarint(nil, uint64(v)) }
	double := binary.LittleEndian.AppendUint64(nil, math.Float64bits(0.1))
	float := binary.LittleEndian.AppendUint32(nil, math.Float32bits(0.1))
	tests := []struct {
		name  string
		value []byte
		want  string
	}{
		{"TensorFlow 1", tf1("loss", 0.1), "0.1"},
		{"TensorFlow 1, NaN", tf1("loss", float32(math.NaN())), "NaN"},
		{"TensorFlow 1, infinite", tf1("loss", float32(math.Inf(-1))), "-Inf"},
		{"float content", tf2("loss", "scalars", floatTensor(0.1)), "0.1"},
		{"double content", tf2("loss", "scalars", tensorOf(typeDouble, tensorContent, double)), "0.1"},
		{"int32 content", tf2("loss", "scalars", tensorOf(typeInt32, tensorContent, []byte{0xfe, 0xff, 0xff, 0xff})), "-2"},
		{"int8 content", tf2("loss", "scalars", tensorOf(typeInt8, tensorContent, []byte{0xfe})), "-2"},
		{"bfloat16 content", tf2("loss", "scalars", tensorOf(typeBfloat16, tensorContent, []byte{0xc0, 0x3f})), "1.5"},
		{"half content", tf2("loss", "scalars", tensorOf(typeHalf, tensorContent, []byte{0x00, 0xbe})), "-1.5"},
		{"float_val", tf2("loss", "scalars", tensorOf(typeFloat, tensorFloat, float)), "0.1"},
		{"double_val", tf2("loss", "scalars", tensorOf(typeDouble, tensorDouble, double)), "0.1"},
		{"int_val", tf2("loss", "scalars", tensorOf(typeInt32, tensorInt, varint(-7))), "-7"},
		{"int64_val", tf2("loss", "scalars", tensorOf(typeInt64, tensorInt64, varint(-7))), "-7"},
		{"uint64_val", tf2("loss", "scalars", tensorOf(typeUint64, tensorUint64, varint(-1))), "18446744073709551615"},
		{"half_val", tf2("loss", "scalars", tensorOf(typeHalf, tensorHalf, varint(0x0001))), "5.9604645e-08"},
		{"half_val infinite", tf2("loss", "scalars", tensorOf(typeHalf, tensorHalf, varint(0xfc00))), "-Inf"},
		{"int_val not packed", tf2("loss", "scalars", varintField(varintField(nil, tensorType, typeInt32), tensorInt, 3)), "3"},
		{"no plugin", tf2("loss", "", floatTensor(0.1)), "0.1"},
		{"histogram", tf2("loss", "histograms", floatTensor(0.1)), ""},
		{"two elements", tf2("loss", "scalars", tensorOf(typeFloat, tensorFloat, append(float, float...))), ""},
		{"content of another size", tf2("loss", "scalars", tensorOf(typeFloat, tensorContent, double)), ""},
		{"text", tf2("loss", "scalars", tensorOf(7, 8, []byte("x"))), ""},
		{"no value", tf2("loss", "scalars", nil), ""},
		{"no tag", tf1("", 0.1), ""},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			s, ok := summaryScalar(tt.value)
			if ok != (tt.want != "") || s.text != tt.want && ok {
				t.Errorf("got %q, %v, want %q", s.text, ok, tt.want)
			}
		})
	}
}

func TestTagMatches(t *testing.T) {
	tests := []struct {
		metric, tag, dir   string
		wantMatch, wantExa bool
	}{
		{"loss", "loss", "/logs", true, true},
		{"loss", "loss_1", "/logs", true, false},
		{"loss", "epoch_loss", "/logs", false, false},
		{"train/loss", "loss", "/logs/train", true, true},
		{"train/loss", "loss_1", "/logs/train", true, false},
		{"train/loss", "train/loss", "/logs", true, true},
		{"train/loss", "loss", "/logs/validation", false, false},
		{"train/loss", "loss", "/logs/pretrain", false, false},
		{"logs/train/loss", "loss", "/x/logs/train", true, true},
		{"train/", "loss", "/logs/train", false, false},
	}
	for _, tt := range tests {
		t.Run(tt.metric+" "+tt.tag+" "+tt.dir, func(t *testing.T) {
			match, exact := tagMatches(tt.metric, tt.tag, tt.dir)
			if match != tt.wantMatch || match && exact != tt.wantExa {
				t.Errorf("got %v, %v, want %v, %v", match, exact, tt.wantMatch, tt.wantExa)
			}
		})
	}
}

// eventsTest polls and compares with samples written as metric=text@step.
func eventsTest(t *testing.T, e *Events, want, wantErr string) {
	t.Helper()
	samples, err := e.Poll()
	var got []string
	for _, s := range samples {
		if s.Time.Unix() != 1e6+s.Step {
			t.Errorf("got time %v at step %d", s.Time, s.Step)
		}
		got = append(got, fmt.Sprintf("%s=%s@%d", s.Metric, s.Text, s.Step))
	}
	if text := strings.Join(got, " "); text != want {
		t.Errorf("got %q, want %q", text, want)
	}
	if message := errorText(err); (message == "") != (wantErr == "") || !strings.Contains(message, wantErr) {
		t.Errorf("got error %q, want %q", message, wantErr)
	}
}

func TestEventsFollowNestedFiles(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "logs")
	e := NewEvents(dir, []string{"train/loss", "validation/loss", "lr"})
	eventsTest(t, e, "", "")
	train := filepath.Join(dir, "run", "train", "events.out.tfevents.1.host")
	validation := filepath.Join(dir, "run", "validation", "events.out.tfevents.2.host.v2")
	writeFile(t, train, record([]byte{}), event(1, tf1("loss", 0.5)), event(3, tf1("lr", 1)))
	writeFile(t, validation, event(2, tf2("loss", "scalars", floatTensor(0.25))))
	writeFile(t, filepath.Join(dir, "checkpoint"), []byte("no events"))
	eventsTest(t, e, "train/loss=0.5@1 validation/loss=0.25@2 lr=1@3", "")
	eventsTest(t, e, "", "")

	next := event(4, tf1("loss", 0.125))
	writeFile(t, train, next[:10])
	eventsTest(t, e, "", "")
	writeFile(t, train, next[10:len(next)-1])
	eventsTest(t, e, "", "")
	writeFile(t, train, next[len(next)-1:])
	eventsTest(t, e, "train/loss=0.125@4", "")
}

func TestEventsPreferTheTagOfJustThatName(t *testing.T) {
	dir := t.TempDir()
	writeFile(t, filepath.Join(dir, "a.tfevents"), event(1, tf1("loss_a", 1)), event(2, tf1("loss", 2)))
	writeFile(t, filepath.Join(dir, "b.tfevents"), event(3, tf1("loss_b", 3)))
	eventsTest(t, NewEvents(dir, []string{"loss"}), "loss=2@2 loss=3@3", "")
}

func TestEventsStopAtACorruptRecord(t *testing.T) {
	good := event(1, tf1("loss", 1))
	spoil := func(at int) []byte {
		bad := event(2, tf1("loss", 2))
		bad[at] ^= 1
		return bad
	}
	tests := []struct {
		name    string
		bad     []byte
		wantErr string
	}{
		{"length", spoil(0), "the checksum of its length is wrong"},
		{"data", spoil(recordHeader), "the checksum of its data is wrong"},
		{"last byte", spoil(len(good) - 1), "the checksum of its data is wrong"},
		{"text", []byte("this is not an event file"), "the checksum of its length is wrong"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			dir := t.TempDir()
			bad := filepath.Join(dir, "a.tfevents")
			writeFile(t, bad, good, tt.bad, event(3, tf1("loss", 3)))
			writeFile(t, filepath.Join(dir, "b.tfevents"), event(4, tf1("loss", 4)))
			e := NewEvents(dir, []string{"loss"})
			eventsTest(t, e, "loss=1@1 loss=4@4", fmt.Sprintf("read events: %s at byte %d: corrupt record: %s", bad, len(good), tt.wantErr))
			writeFile(t, bad, event(5, tf1("loss", 5)))
			eventsTest(t, e, "", "")
		})
	}
}

func TestEventsReadARewrittenFile(t *testing.T) {
	path := filepath.Join(t.TempDir(), "a.tfevents")
	e := NewEvents(filepath.Dir(path), []string{"loss"})
	writeFile(t, path, event(1, tf1("loss", 1)), []byte("xxxxxxxxxxxxxxxxxxxxxxxx"))
	eventsTest(t, e, "loss=1@1", "corrupt record")
	if err := os.Remove(path); err != nil {
		t.Fatal(err)
	}
	writeFile(t, path, event(2, tf1("loss", 2)))
	eventsTest(t, e, "loss=2@2", "")
}

func TestEventsSkipLargeRecords(t *testing.T) {
	dir := t.TempDir()
	writeFile(t, filepath.Join(dir, "a.tfevents"), record(make([]byte, maxRecord+1)), event(2, tf1("loss", 2)))
	eventsTest(t, NewEvents(dir, []string{"loss"}), "loss=2@2", "")
}

func TestScalarsOfHostileEvents(t *testing.T) {
	huge := protowire.AppendFixed64(protowire.AppendTag(nil, eventWallTime, protowire.Fixed64Type), math.Float64bits(math.Inf(1)))
	huge = varintField(huge, eventStep, math.MaxUint64)
	huge = field(huge, eventSummary, field(nil, summaryValue, tf1("loss", 1)))
	got := scalars(append(huge, 0xff, 0xff))
	want := scalar{tag: "loss", text: "1", time: time.Time{}, step: 0}
	if len(got) != 1 || got[0] != want {
		t.Errorf("got %+v, want [%+v]", got, want)
	}
}

func FuzzTFRecord(f *testing.F) {
	whole := append(event(1, tf1("loss", 1)), event(2, tf2("loss", "scalars", floatTensor(2)))...)
	f.Add(whole, whole[recordHeader:40])
	f.Add(whole[:20], tf2("loss", "scalars", tensorOf(typeHalf, tensorHalf, []byte{1})))
	f.Fuzz(func(t *testing.T, file, message []byte) {
		// The file as it is, and after a whole record that holds any message at all.
		for _, start := range [][]byte{nil, record(message), record(field(nil, eventSummary, field(nil, summaryValue, message)))} {
			all := slices.Concat(start, file)
			used, _ := readRecords(io.NewSectionReader(bytes.NewReader(all), 0, int64(len(all))), func(data []byte) {
				for _, s := range scalars(data) {
					if s.tag == "" || !isNumber(s.text) || s.step < 0 {
						t.Errorf("got %+v", s)
					}
				}
			})
			if used < int64(len(start)) || used > int64(len(all)) {
				t.Errorf("got %d bytes used of %d and %d", used, len(start), len(file))
			}
		}
	})
}
