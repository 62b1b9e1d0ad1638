// Package damage_test flips bits in the files of a store and cuts them short, and asks the server that
// is started on them: what it answers is what was acknowledged, or it refuses to start.
package damage_test

import (
	"bytes"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"io"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"sync"
	"testing"
)

var (
	damages = flag.Int("damages", 200, "how many bits are flipped and files cut, in all")
	seed    = flag.Uint64("damage-seed", 1, "of where")
)

// childEnv names the directory that the test's own binary is to serve, in another process.
const childEnv = "TUNED_TEST_DAMAGED"

func TestMain(m *testing.M) {
	if dir := os.Getenv(childEnv); dir != "" {
		os.Exit(answer(dir))
	}
	os.Exit(m.Run())
}

// answers are what a server says of all that it has.
type answers struct {
	Refused string // why it does not start, or does not answer; "" when it does
	Said    string // checksum of all answers
}

// TestDamage damages copies of a directory, as many of each kind of file.
func TestDamage(t *testing.T) {
	base := filepath.Join(t.TempDir(), "base")
	fill(t, base)
	want := ask(t, copied(t, base))
	if want.Refused != "" {
		t.Fatalf("undamaged: got %+v, want nothing refused", want)
	}
	places := kinds(t, base)
	random := rand.New(rand.NewPCG(*seed, 0))
	count, slots, wait := map[string]*[3]int{}, make(chan struct{}, 2), sync.WaitGroup{}
	var mu sync.Mutex
	for i := range *damages {
		kind := places[i%len(places)]
		d := kind.pick(random)
		slots <- struct{}{}
		wait.Go(func() {
			defer func() { <-slots }()
			dir := copied(t, base)
			defer os.RemoveAll(dir)
			d.do(t, dir)
			got := ask(t, dir)
			mu.Lock()
			defer mu.Unlock()
			if count[kind.name] == nil {
				count[kind.name] = new([3]int)
			}
			count[kind.name][got.judge(t, d, want)]++
		})
	}
	wait.Wait()
	report(t, count)
}

const (
	refused = iota
	whole
	wrong
)

// judge says what an answer is worth.
func (a answers) judge(t *testing.T, d damage, want answers) int {
	switch {
	case a.Refused != "":
		return refused
	case a.Said == want.Said:
		return whole
	}
	t.Errorf("%s: other answers, and no error", d)
	return wrong
}

func report(t *testing.T, count map[string]*[3]int) {
	t.Helper()
	var sum [3]int
	for name, n := range count {
		t.Logf("%-12s refused %3d, as it was %3d, silently wrong %d", name, n[refused], n[whole], n[wrong])
		for i := range sum {
			sum[i] += n[i]
		}
	}
	t.Logf("%d damages: refused %d, as it was %d, silently wrong %d", *damages, sum[refused], sum[whole], sum[wrong])
	if sum[refused] == 0 || sum[whole] == 0 {
		t.Error("one of the good outcomes never came: the test has missed the data")
	}
}

// ask serves a directory in another process. A process that dies of it is an error.
func ask(t *testing.T, dir string) (a answers) {
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	c := exec.Command(self)
	c.Env = append(os.Environ(), childEnv+"="+dir)
	var said, complained bytes.Buffer
	c.Stdout, c.Stderr = &said, &complained
	err = c.Run()
	if err == nil {
		err = json.Unmarshal(said.Bytes(), &a)
	}
	if err != nil {
		t.Errorf("the process died: %v\n%.2000s", err, complained.String())
		return answers{Refused: "died"}
	}
	return a
}

// kind is the files of one kind, each with the length of what is written of it.
type kind struct {
	name  string
	files []damage
}

var digits = regexp.MustCompile(`\d+`)

// kinds are the files of a directory by kind.
func kinds(t *testing.T, dir string) (out []kind) {
	t.Helper()
	entries, err := os.ReadDir(dir)
	if err != nil {
		t.Fatal(err)
	}
	for _, e := range entries {
		name := digits.ReplaceAllString(e.Name(), "N")
		d := damage{file: e.Name(), at: used(t, filepath.Join(dir, e.Name()))}
		if d.at == 0 {
			continue
		}
		i := slices.IndexFunc(out, func(k kind) bool { return k.name == name })
		if i < 0 {
			out = append(out, kind{name: name})
			i = len(out) - 1
		}
		out[i].files = append(out[i].files, d)
	}
	for _, need := range []string{"N.sst", "N.mem", "MANIFEST", "watermark"} {
		if !slices.ContainsFunc(out, func(k kind) bool { return k.name == need }) {
			t.Fatalf("the directory has no %s: %v", need, out)
		}
	}
	return out
}

// damage is a flipped bit, or the loss of all from a byte on.
type damage struct {
	file string
	cut  bool
	at   int64
	bit  int
}

func (d damage) String() string {
	if d.cut {
		return fmt.Sprintf("%s cut at byte %d", d.file, d.at)
	}
	return fmt.Sprintf("%s, bit %d of byte %d", d.file, d.bit, d.at)
}

func (k kind) pick(random *rand.Rand) damage {
	d := k.files[random.IntN(len(k.files))]
	return damage{file: d.file, cut: random.IntN(3) == 0, at: random.Int64N(d.at), bit: random.IntN(8)}
}

func (d damage) do(t *testing.T, dir string) {
	path := filepath.Join(dir, d.file)
	if d.cut {
		if err := os.Truncate(path, d.at); err != nil {
			t.Error(err)
		}
		return
	}
	file, err := os.OpenFile(path, os.O_RDWR, 0)
	if err != nil {
		t.Error(err)
		return
	}
	one := make([]byte, 1)
	_, err = file.ReadAt(one, d.at)
	one[0] ^= 1 << d.bit
	if err == nil {
		_, err = file.WriteAt(one, d.at)
	}
	if err := errors.Join(err, file.Close()); err != nil {
		t.Error(err)
	}
}

// used is the length of a file without the zeros at its end, which are laid out before they are needed.
func used(t *testing.T, path string) (end int64) {
	t.Helper()
	file, err := os.Open(path)
	if err != nil {
		t.Fatal(err)
	}
	defer file.Close()
	part := make([]byte, 1<<20)
	for at := int64(0); ; {
		n, err := file.ReadAt(part, at)
		if trimmed := bytes.TrimRight(part[:n], "\x00"); len(trimmed) > 0 {
			end = at + int64(len(trimmed))
		}
		at += int64(n)
		if errors.Is(err, io.EOF) {
			return end
		}
		if err != nil {
			t.Fatal(err)
		}
	}
}

// copied copies a directory, without the holes of its files.
func copied(t *testing.T, from string) string {
	dir, err := os.MkdirTemp(filepath.Dir(from), "copy") //nolint:usetesting // it goes before the test does: there are hundreds
	if err == nil {
		err = exec.Command("cp", "-r", "--sparse=always", from+"/.", dir).Run()
	}
	if err != nil {
		t.Fatal(err)
	}
	return dir
}
