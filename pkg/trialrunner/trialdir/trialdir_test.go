package trialdir

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"
)

func folder(t testing.TB) *os.Root {
	t.Helper()
	root, err := os.OpenRoot(t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { root.Close() })
	return root
}

// filled returns a spool of n measurements.
func filled(t testing.TB, root *os.Root, n int) *Spool {
	t.Helper()
	s, err := CreateSpool(root)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { s.Close() })
	for from := 1; from <= n; from += 7 {
		var ms []Measurement
		for i := from; i < min(from+7, n+1); i++ {
			ms = append(ms, Measurement{Metric: "a\n\"b", Text: strconv.Itoa(i), Step: int64(i), Time: time.Unix(int64(i), 5).UTC()})
		}
		if err := s.Append(ms); err != nil {
			t.Fatal(err)
		}
	}
	return s
}

func TestSpoolCursor(t *testing.T) {
	const n = 3*stride + 5
	s := filled(t, folder(t), n)
	for _, after := range []uint64{0, 1, stride - 1, stride, stride + 1, 2*stride - 1, n - 1, n, n + 10} {
		c := s.After(after)
		count := 0
		for seq := after + 1; ; seq++ {
			m, err := c.Next()
			if errors.Is(err, io.EOF) {
				break
			}
			if err != nil {
				t.Fatal(err)
			}
			if m.Seq != seq || m.Text != strconv.FormatUint(seq, 10) || m.Time.Unix() != int64(seq) {
				t.Fatalf("after %d: got %+v, want number %d", after, m, seq)
			}
			count++
		}
		if want := max(0, n-int(after)); count != want {
			t.Errorf("after %d: got %d measurements, want %d", after, count, want)
		}
	}
}

// TestSpoolGrows shows that a cursor at the end goes on when there is more.
func TestSpoolGrows(t *testing.T) {
	s := filled(t, folder(t), 0)
	c := s.After(0)
	for i := uint64(1); i < 3000; i++ {
		if err := s.Append([]Measurement{{Metric: "m", Text: "1"}}); err != nil {
			t.Fatal(err)
		}
		if m, err := c.Next(); err != nil || m.Seq != i {
			t.Fatalf("got %+v and %v, want number %d", m, err, i)
		}
	}
}

// TestSpoolCutAnywhere cuts the file after each of its bytes: what is left is read up to the last
// whole record.
func TestSpoolCutAnywhere(t *testing.T) {
	root := folder(t)
	s := filled(t, root, 20)
	whole, err := os.ReadFile(filepath.Join(root.Name(), SpoolFile))
	if err != nil {
		t.Fatal(err)
	}
	for size := s.Size(); size >= 0; size-- {
		if err := s.file.Truncate(size); err != nil {
			t.Fatal(err)
		}
		got, err := ReadSpool(root, 0)
		if err != nil {
			t.Fatal(err)
		}
		want := 0
		for _, b := range whole[:size] {
			if b == '\n' {
				want++
			}
		}
		if len(got) != want {
			t.Fatalf("of %d bytes: got %d measurements, want %d", size, len(got), want)
		}
	}
}

func FuzzReadSpool(f *testing.F) {
	root := folder(f)
	filled(f, root, 5)
	whole, err := os.ReadFile(filepath.Join(root.Name(), SpoolFile))
	if err != nil {
		f.Fatal(err)
	}
	f.Add(whole)
	f.Add([]byte("00000000 \n"))
	f.Fuzz(func(t *testing.T, text []byte) {
		root := folder(t)
		if err := os.WriteFile(filepath.Join(root.Name(), SpoolFile), text, 0o600); err != nil {
			t.Fatal(err)
		}
		got, err := ReadSpool(root, 0)
		if err != nil && !errors.Is(err, ErrDamaged) {
			t.Fatal(err)
		}
		if last, err := LastNumber(root); err != nil || last < uint64(len(got)) {
			t.Fatalf("got last number %d and %v of %d measurements", last, err, len(got))
		}
		for i, m := range got {
			if m.Seq != uint64(i)+1 {
				t.Fatalf("got number %d in place %d", m.Seq, i+1)
			}
		}
	})
}

// TestSpoolFlippedBit damages each byte in turn: that shows, save in the last line, which may have been
// torn.
func TestSpoolFlippedBit(t *testing.T) {
	root := folder(t)
	filled(t, root, 10)
	path := filepath.Join(root.Name(), SpoolFile)
	whole, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	lastLine := 1 + bytes.LastIndexByte(whole[:len(whole)-1], '\n')
	for i := range whole {
		bad := append([]byte(nil), whole...)
		bad[i] ^= 4
		if err := os.WriteFile(path, bad, 0o600); err != nil {
			t.Fatal(err)
		}
		got, err := ReadSpool(root, 0)
		if want := bytes.Count(whole[:i], []byte("\n")); len(got) != want {
			t.Fatalf("byte %d: got %d measurements, want the %d before it", i, len(got), want)
		}
		if damaged := i < lastLine-1; errors.Is(err, ErrDamaged) != damaged || err != nil && !damaged {
			t.Fatalf("byte %d: got %v, want damage: %t", i, err, damaged)
		}
		if last, err := LastNumber(root); err != nil || last != 10 && i < lastLine-1 {
			t.Fatalf("byte %d: got last number %d and %v, want 10", i, last, err)
		}
		for j, m := range got {
			if m.Text != strconv.Itoa(j+1) {
				t.Fatalf("byte %d: got %+v", i, m)
			}
		}
	}
}

// TestSpoolLostRecord takes a whole line out.
func TestSpoolLostRecord(t *testing.T) {
	root := folder(t)
	filled(t, root, 10)
	path := filepath.Join(root.Name(), SpoolFile)
	whole, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	lines := bytes.SplitAfter(whole, []byte("\n"))
	at := len(bytes.Join(lines[:4], nil))
	if err := os.WriteFile(path, bytes.Join(append(lines[:4:4], lines[5:]...), nil), 0o600); err != nil {
		t.Fatal(err)
	}
	got, err := ReadSpool(root, 1)
	if want := fmt.Sprintf("at byte %d,", at); len(got) != 3 || !errors.Is(err, ErrDamaged) || !strings.Contains(err.Error(), want) {
		t.Errorf("got %d measurements and %v, want 3 and damage %s", len(got), err, want)
	}
}

func TestLock(t *testing.T) {
	root := folder(t)
	if locked, err := Locked(root); locked || err != nil {
		t.Errorf("before: got %t and %v", locked, err)
	}
	file, err := Lock(root)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := Lock(root); !errors.Is(err, ErrLocked) {
		t.Errorf("second lock: got %v, want ErrLocked", err)
	}
	for range 2 { // looking does not take
		if locked, err := Locked(root); !locked || err != nil {
			t.Errorf("held: got %t and %v", locked, err)
		}
	}
	file.Close()
	if locked, err := Locked(root); locked || err != nil {
		t.Errorf("after: got %t and %v", locked, err)
	}
}

func TestWriteAndRead(t *testing.T) {
	root := folder(t)
	for _, durable := range []bool{false, true} {
		want := Spec{Trial: fmt.Sprint(durable), Wall: time.Second}
		if err := Write(root, SpecFile, want, durable); err != nil {
			t.Fatal(err)
		}
		var got Spec
		if err := Read(root, SpecFile, &got); err != nil || got.Trial != want.Trial || got.Wall != want.Wall {
			t.Errorf("got %+v and %v, want %+v", got, err, want)
		}
	}
	info, err := root.Stat(SpecFile)
	if err != nil || info.Mode().Perm() != 0o600 {
		t.Errorf("got mode %v and %v, want 0600", info.Mode(), err)
	}
	names, err := os.ReadDir(root.Name())
	if err != nil || len(names) != 1 {
		t.Errorf("got %v and %v, want one file", names, err)
	}
}

// sleeper starts a process with an environment.
func sleeper(t *testing.T, env ...string) *exec.Cmd {
	t.Helper()
	cmd := exec.Command("sleep", "1000")
	cmd.Env = env
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = cmd.Process.Kill() })
	return cmd
}

// TestSignalMeetsOnlyTheProcessMeant uses the id of a living process with another start or boot.
func TestSignalMeetsOnlyTheProcessMeant(t *testing.T) {
	cmd := sleeper(t)
	boot, err := bootID()
	if err != nil {
		t.Fatal(err)
	}
	s, err := stat(cmd.Process.Pid)
	if err != nil {
		t.Fatal(err)
	}
	start := s.start
	for _, other := range []Process{
		{PID: cmd.Process.Pid, Start: start + 1, Boot: boot},
		{PID: cmd.Process.Pid, Start: start, Boot: "another"},
	} {
		if err := other.Signal(syscall.SIGKILL); err != nil {
			t.Error(err)
		}
	}
	if err := (Process{PID: cmd.Process.Pid, Start: start, Boot: boot}).Signal(syscall.SIGTERM); err != nil {
		t.Error(err)
	}
	_ = cmd.Wait()
	if got := cmd.ProcessState.Sys().(syscall.WaitStatus).Signal(); got != syscall.SIGTERM {
		t.Errorf("ended by %v, want the signal that was meant for it", got)
	}
	if err := (Process{PID: cmd.Process.Pid, Start: start, Boot: boot}).Signal(syscall.SIGTERM); err != nil {
		t.Errorf("signal to a process that is gone: %v", err)
	}
}

func TestKillLeft(t *testing.T) {
	root := folder(t)
	spec := Spec{Namespace: "n", Experiment: t.Name(), UID: "u", Trial: "t", Attempt: 1}
	other := spec
	other.Attempt = 11 // begins with the same text
	marked, bystander := sleeper(t, MarkName+"="+spec.Mark()), sleeper(t, MarkName+"="+other.Mark())
	recorded, reused := sleeper(t), sleeper(t)
	boot, err := bootID()
	if err != nil {
		t.Fatal(err)
	}
	record := []Process{{PID: recorded.Process.Pid, Boot: boot}, {PID: reused.Process.Pid, Boot: boot}}
	for i := range record {
		s, err := stat(record[i].PID)
		if err != nil {
			t.Fatal(err)
		}
		record[i].Start = s.start
	}
	record[1].Start-- // another process had its id
	if err := Write(root, ProcessesFile, record, false); err != nil {
		t.Fatal(err)
	}
	if err := KillLeft(root, &spec); err != nil { // they are zombies now, which must not count as left
		t.Fatal(err)
	}
	for name, victim := range map[string]*exec.Cmd{"marked": marked, "recorded": recorded} {
		if s, err := stat(victim.Process.Pid); err != nil || s.state != 'Z' {
			t.Errorf("%s: got state %c and %v, want it killed", name, s.state, err)
		}
		_ = victim.Wait()
	}
	for name, spared := range map[string]*exec.Cmd{"of another attempt": bystander, "with a reused id": reused} {
		if s, err := stat(spared.Process.Pid); err != nil || s.state == 'Z' {
			t.Errorf("%s: it was killed", name)
		}
	}
}
