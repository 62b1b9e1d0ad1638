package local

import (
	"os"
	"path/filepath"
	"slices"
	"testing"

	"github.com/tuned-hpo/tuned/pkg/trialrunner"
)

func TestMount(t *testing.T) {
	for _, tt := range []struct{ word, want string }{
		{"/ckpt/all", "D"},
		{"/ckpt/all/", "D/"},
		{"--checkpoint=/ckpt/all/", "--checkpoint=D/"},
		{"-o/ckpt/all/x", "-oD/x"},
		{"cp /ckpt/all/a '/ckpt/all/b'; ls /ckpt/all", "cp D/a 'D/b'; ls D"},
		{"/ckpt/all:/ckpt/all/lib", "D:D/lib"},
		{"file:///ckpt/all/x", "file://D/x"},
		{`{"dir": "/ckpt/all"}`, `{"dir": "D"}`},
		{"a,/ckpt/all,b", "a,D,b"},
		{"", ""},
		{"/ckpt", "/ckpt"},
		{"/ckpt/all2", "/ckpt/all2"},
		{"/ckpt/all.tar", "/ckpt/all.tar"},
		{"/ckpt/allé", "/ckpt/allé"},
		{"/host/ckpt/all", "/host/ckpt/all"},
		{"//ckpt/all", "//ckpt/all"},
		{"./ckpt/all", "./ckpt/all"},
		{"~/ckpt/all", "~/ckpt/all"},
		{"${HOME}/ckpt/all", "${HOME}/ckpt/all"},
		{"http://host/ckpt/all", "http://host/ckpt/all"},
		{"/ckpt/all2 /ckpt/all", "/ckpt/all2 D"},
		{"--/ckpt/all", "--/ckpt/all"},
	} {
		if got := mount("/ckpt/all").replace(tt.word, "D"); got != tt.want {
			t.Errorf("%q: got %q, want %q", tt.word, got, tt.want)
		}
		if got := mount("").replace(tt.word, "D"); got != tt.word {
			t.Errorf("%q without a path: got %q", tt.word, got)
		}
	}
}

// TestStartAtPath wants a program to find its directory where the template expects one: in the command, the
// arguments and the variables of its container.
func TestStartAtPath(t *testing.T) {
	t.Parallel()
	_, h := opened(t, "unix:"+filepath.Join(t.TempDir(), "nobody.sock"))
	file := filepath.Join(t.TempDir(), "words")
	spec := h.Spec(trialrunner.Spec{
		Experiment: h.Trial("x").Experiment, UID: "u", Trial: "t", Attempt: 1, Objective: "loss", Container: "main",
		Template: object(t, job(`{name: main, image: i, command: [sh, -c, 'cd "$1" && printf "%s\n" "$1" "$2" "$AT" "$TUNED_CHECKPOINT_DIR" > "$3"', x, /ckpt/all],
			args: ["--to=/ckpt/all/best", "`+file+`"], env: [{name: AT, value: /ckpt/all}]}`)),
		Checkpoint: trialrunner.Checkpoint{Path: "/ckpt/all"},
	})
	h.Start(t, spec)
	if w := h.End(t, spec); w.Exit.Reason != "Completed" {
		t.Fatalf("got %+v", w.Exit)
	}
	text, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	dir := filepath.Join(h.Runner.(*Runner).Dir, spec.Experiment.Namespace, spec.Experiment.Name, "t", "checkpoint")
	if want := dir + "\n--to=" + dir + "/best\n" + dir + "\n" + dir + "\n"; string(text) != want {
		t.Errorf("got\n%swant\n%s", text, want)
	}
}

// TestResolveAtPath wants the path to be an argument of the program, not a part of its name.
func TestResolveAtPath(t *testing.T) {
	spec := trialrunner.Spec{
		Container:  "main",
		Template:   object(t, job(`{name: main, image: mapped, command: [python3, train.py, /ckpt/all, tail]}`)),
		Checkpoint: trialrunner.Checkpoint{Path: "/ckpt/all"},
	}
	spec.Local.Images = map[string][]string{"mapped": {"sh", "-c"}}
	p, err := Resolve(spec)
	if want := []string{"sh", "-c", "/ckpt/all", "tail"}; err != nil || !slices.Equal(p.Command.Argv, want) {
		t.Errorf("got %q, %v; want %q", p.Command.Argv, err, want)
	}
	spec.Template = object(t, job(`{name: main, image: i, command: [sh, /ckpt/all]}`))
	if _, err := Resolve(spec); err != nil {
		t.Errorf("the path is not there before a trial is, got %v", err)
	}
	spec.Checkpoint.Folder = filepath.Join(t.TempDir(), "missing")
	if _, err := Resolve(spec); err == nil {
		t.Error("a folder that is not there is accepted")
	}
}

// TestRemoveLeavesCheckpoint wants a directory with something in it kept, and an empty one not.
func TestRemoveLeavesCheckpoint(t *testing.T) {
	t.Parallel()
	r, h := opened(t, "unix:"+filepath.Join(t.TempDir(), "nobody.sock"))
	for name, script := range map[string]string{"kept": `echo 1 > "$TUNED_CHECKPOINT_DIR/x"`, "gone": "true", "linked": `rmdir "$TUNED_CHECKPOINT_DIR"; ln -s / "$TUNED_CHECKPOINT_DIR"`} {
		spec := h.Script(name, script)
		h.Start(t, spec)
		h.End(t, spec)
		if err := r.Remove(t.Context(), spec.Experiment, name, 1); err != nil {
			t.Errorf("remove %s: %v", name, err)
		}
		_, err := os.Lstat(r.checkpoint(spec).Dir)
		if kept := err == nil; kept != (name != "gone") {
			t.Errorf("%s: the directory is there: %t", name, kept)
		}
	}
}
