package tuned_test

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/tuned-hpo/tuned/internal/testenv"
)

const module = "github.com/tuned-hpo/tuned"

// A layer is a folder with everything below it, save for folders that have a row of their own.
type layer struct {
	dir string
	// why says what the folder is for, and so why nothing else may be imported.
	why string
	// may lists the layers that it may import. "*" is all of them. A layer may import itself.
	may []string
}

// layers is the order of the tree, low to high. Nothing imports sideways or up.
var layers = []layer{
	{".", "the root holds no code", nil},
	{"internal/elementary", "functions of numbers know nothing else", nil},
	{"internal/testenv", "it serves every test, so that it must not depend on what they test", nil},
	{"internal/failpoint", "it is called from everywhere that something is made durable", nil},
	{"internal/logline", "it writes what it is given", nil},
	{"internal/golden", "it serves every test, so that it must not depend on what they test", nil},
	{"api", "generated code is the wire and knows nothing of what speaks it", nil},

	{"pkg/searchspace", "it is the lowest layer", []string{"internal/elementary"}},
	{"pkg/experiment", "the domain must not know who stores, runs or plans it", []string{"pkg/searchspace"}},

	{"algorithms", "an algorithm is mathematics over a search space: no storage, no RPC, no experiment", []string{"pkg/searchspace"}},
	{"algorithms/sampling", "what methods draw points with knows no method", []string{"algorithms", "pkg/searchspace"}},
	{"algorithms/random", "methods share the contract, never each other", []string{"algorithms", "algorithms/sampling", "pkg/searchspace"}},
	{"algorithms/bayes", "methods share the contract, never each other", []string{"internal/elementary", "algorithms", "algorithms/sampling", "pkg/searchspace"}},
	{"algorithms/evolution", "methods share the contract, never each other", []string{"internal/elementary", "algorithms", "algorithms/sampling", "pkg/searchspace"}},
	{"algorithms/multifidelity", "methods share the contract, never each other", []string{"algorithms", "algorithms/sampling", "pkg/searchspace"}},
	{"algorithms/earlystop", "methods share the contract, never each other", []string{"algorithms", "algorithms/sampling", "pkg/searchspace"}},
	{"algorithms/auto", "it chooses among algorithms that it is given, and knows none", []string{"algorithms", "algorithms/sampling", "pkg/searchspace"}},
	{"algorithms/algorithmtest", "the suite knows the contract, not who keeps it", []string{"algorithms", "pkg/searchspace"}},
	{"algorithms/builtin", "it is the list of what is built in, and no more", []string{
		"pkg/searchspace", "algorithms", "algorithms/sampling", "algorithms/random", "algorithms/bayes", "algorithms/evolution", "algorithms/multifidelity", "algorithms/earlystop", "algorithms/auto",
	}},

	{"pkg/collector", "text in, observations out", []string{"pkg/experiment"}},
	{"pkg/exchange", "it turns experiments into files and back, and knows nobody who stores or serves them", []string{"pkg/experiment", "pkg/searchspace"}},
	{"pkg/trialrunner", "the contract must not know its implementations or who plans", []string{"pkg/experiment", "pkg/searchspace"}},
	{"pkg/trialrunner/trialdir", "the agent reads it too, inside the containers of trials", []string{"internal/failpoint"}},
	{"pkg/trialrunner/checkpoint", "the agent makes it, inside the containers of trials", []string{"internal/failpoint"}},
	{"pkg/trialrunner/local", "a runner starts what it is told to and knows no other runner", []string{"internal/failpoint", "pkg/trialrunner", "pkg/trialrunner/trialdir", "pkg/trialrunner/checkpoint", "pkg/experiment", "pkg/searchspace"}},
	{"pkg/trialrunner/kube", "a runner starts what it is told to and knows no other runner", []string{"pkg/trialrunner", "pkg/experiment", "pkg/searchspace"}},
	{"pkg/trialrunner/runnertest", "the suite knows the contract, not who keeps it", []string{"pkg/trialrunner", "pkg/experiment", "pkg/searchspace"}},
	{"pkg/store", "the contract must not know its implementations or who plans", []string{"pkg/experiment", "pkg/searchspace"}},
	{"pkg/store/badger", "a store keeps what it is given and knows no other store", []string{"internal/failpoint", "pkg/store", "pkg/experiment", "pkg/searchspace"}},
	{"pkg/store/postgres", "a store keeps what it is given and knows no other store", []string{"pkg/store", "pkg/experiment", "pkg/searchspace"}},
	{"pkg/store/storetest", "the suite knows the contract, not who keeps it", []string{"pkg/store", "pkg/experiment", "pkg/searchspace"}},

	{"pkg/observe", "it tells of what is stored, whoever stores it and whoever listens", []string{"pkg/store", "pkg/experiment", "pkg/searchspace"}},
	{"pkg/tuner", "it plans against the contracts; implementations are joined in cmd/tuned", []string{
		"internal/failpoint", "algorithms", "pkg/experiment", "pkg/searchspace", "pkg/store", "pkg/trialrunner",
	}},
	{"pkg/server", "it speaks for the tuner and reaches nothing behind it", []string{"internal/failpoint", "api", "algorithms", "pkg/experiment", "pkg/searchspace", "pkg/tuner"}},
	{"pkg/metrics", "it counts what it is told of", []string{"pkg/observe", "pkg/tuner", "pkg/experiment", "pkg/searchspace"}},
	{"pkg/trace", "it sends what it is told of", []string{"pkg/observe", "pkg/tuner", "pkg/experiment", "pkg/searchspace"}},
	{"pkg/webhook", "it sends what was stored and knows nothing of who decides", []string{"internal/failpoint", "pkg/observe", "pkg/experiment", "pkg/searchspace"}},
	{"pkg/exchange/report", "it shows what the tuner knows of an experiment, and reaches nothing behind it", []string{"pkg/exchange", "pkg/experiment", "pkg/searchspace", "pkg/tuner"}},
	{"pkg/katib", "it speaks for the tuner and reaches nothing behind it", []string{"api", "algorithms", "pkg/experiment", "pkg/searchspace", "pkg/tuner"}},
	{"pkg/pipeline", "modules to the platform are clients of the API", []string{"api", "pkg/experiment", "pkg/searchspace"}},
	{"pkg/notebook", "modules to the platform are clients of the API", []string{"api", "pkg/experiment", "pkg/searchspace"}},
	{"pkg/dashboard", "modules to the platform are clients of the API", []string{"api", "pkg/experiment", "pkg/searchspace"}},

	{"plugins", "an author of an algorithm gets the contract, not the daemon", []string{"api", "algorithms", "pkg/searchspace"}},
	{"plugins/host", "it stands in for algorithms and knows nothing of experiments", []string{"plugins", "api", "algorithms", "pkg/searchspace"}},

	{"cmd/tuned", "it alone joins everything", []string{"*"}},
	{"cmd/trial-agent", "it is copied into the containers of trials: small, static, no daemon inside", []string{"internal/failpoint", "api", "pkg/collector", "pkg/trialrunner/trialdir", "pkg/trialrunner/checkpoint"}},

	{"bench", "benchmarks measure algorithms without the daemon", []string{"algorithms", "algorithms/builtin", "pkg/searchspace"}},
	{"bench/engine", "it measures the daemon from outside, and the store below it", []string{
		"api", "pkg/experiment", "pkg/searchspace", "pkg/store", "pkg/store/badger", "pkg/trialrunner",
	}},
	{"examples", "training programs know nothing of the tuner", nil},
	{"test", "end-to-end tests look at everything", []string{"*"}},
}

// onlyTests lists what tests may import wherever they are, and nothing else may.
var onlyTests = []string{
	"internal/testenv", "internal/golden", "algorithms/algorithmtest", "pkg/trialrunner/runnertest", "pkg/store/storetest",
}

// alsoTests lists what tests may import beyond their layer's reach: the algorithms to plan with,
// and the wire to play the other side.
var alsoTests = []string{"algorithms/builtin", "api"}

// reach returns the layers that l may import, and theirs in turn: what a test may set up.
func reach(l layer) []string {
	all := slices.Clone(l.may)
	for i := 0; i < len(all); i++ {
		below, _ := layerOf(all[i])
		for _, dir := range below.may {
			if !slices.Contains(all, dir) {
				all = append(all, dir)
			}
		}
	}
	return all
}

// bannedNames say nothing of what is inside; a helper lives with its one user.
var bannedNames = []string{"base", "common", "helper", "helpers", "manager", "misc", "shared", "types", "util", "utils"}

// heavy lists modules that must not get into the agent, with what each would bring.
var heavy = map[string]string{
	"k8s.io/client-go":        "a client of Kubernetes",
	"github.com/dgraph-io":    "a database",
	"gonum.org/v1/gonum":      "numerics",
	"charm.land/bubbletea/v2": "a terminal interface",
}

// A pkg is what go list says of a package.
type pkg struct {
	ImportPath   string
	Name         string
	Doc          string
	Imports      []string
	TestImports  []string
	XTestImports []string
}

// dir returns the package's folder, relative to the root.
func (p pkg) dir() string { return relative(p.ImportPath) }

func relative(importPath string) string {
	if importPath == module {
		return "."
	}
	return strings.TrimPrefix(importPath, module+"/")
}

// layerOf returns the row with the longest folder that holds dir.
func layerOf(dir string) (l layer, ok bool) {
	for _, row := range layers {
		if (dir == row.dir || strings.HasPrefix(dir, row.dir+"/")) && (!ok || len(row.dir) > len(l.dir)) {
			l, ok = row, true
		}
	}
	return l, ok
}

// checkPackages returns a sentence for each rule that a package breaks.
func checkPackages(pkgs []pkg) []string {
	var faults []string
	for _, p := range pkgs {
		l, ok := layerOf(p.dir())
		if !ok {
			faults = append(faults, fmt.Sprintf("%s: is in no layer: give it a row in layers_test.go", p.dir()))
			continue
		}
		for _, name := range []string{p.Name, path.Base(p.dir())} {
			if slices.Contains(bannedNames, name) {
				faults = append(faults, fmt.Sprintf("%s: a package named %q says nothing of what is inside", p.dir(), name))
				break
			}
		}
		if p.Doc == "" && len(p.Imports) > 0 && l.dir != "api" { // generated code has none
			faults = append(faults, fmt.Sprintf("%s: the package has no doc comment", p.dir()))
		}
		faults = append(faults, checkImports(p, l, p.Imports, false)...)
		faults = append(faults, checkImports(p, l, slices.Concat(p.TestImports, p.XTestImports), true)...)
	}
	return faults
}

// checkImports returns a sentence for each import of p, which lies in l, that is banned.
func checkImports(p pkg, l layer, imports []string, test bool) []string {
	var faults []string
	for _, i := range imports {
		if i != module && !strings.HasPrefix(i, module+"/") {
			continue
		}
		target, ok := layerOf(relative(i))
		switch {
		case ok && target.dir == l.dir:
		case ok && slices.Contains(onlyTests, target.dir):
			// A suite may stand on testenv and on other suites.
			if !test && !slices.Contains(onlyTests, l.dir) && !slices.Contains(l.may, "*") {
				faults = append(faults, fmt.Sprintf("%s imports %s outside of tests: it is for tests alone", p.dir(), relative(i)))
			}
		case ok && (slices.Contains(l.may, target.dir) || slices.Contains(l.may, "*")):
		case ok && test && slices.Contains(append(reach(l), alsoTests...), target.dir):
		default:
			faults = append(faults, fmt.Sprintf("%s imports %s: %s", p.dir(), relative(i), l.why))
		}
	}
	return faults
}

// checkDeps returns a sentence for each package in deps that is too heavy for the agent.
func checkDeps(deps []string) []string {
	var faults []string
	for _, d := range deps {
		for prefix, what := range heavy {
			if d == prefix || strings.HasPrefix(d, prefix+"/") {
				faults = append(faults, fmt.Sprintf("cmd/trial-agent depends on %s: %s has no place in the containers of trials", d, what))
			}
		}
	}
	return faults
}

func TestLayers(t *testing.T) {
	decoder := json.NewDecoder(bytes.NewReader(command(t, "go", "list", "-e",
		"-json=ImportPath,Name,Doc,Imports,TestImports,XTestImports", "./...")))
	var pkgs []pkg
	for {
		var p pkg
		if err := decoder.Decode(&p); errors.Is(err, io.EOF) {
			break
		} else if err != nil {
			t.Fatal(err)
		}
		pkgs = append(pkgs, p)
	}
	if len(pkgs) < 10 {
		t.Fatalf("go list names %d packages: too few to believe", len(pkgs))
	}
	for _, fault := range checkPackages(pkgs) {
		t.Error(fault)
	}
}

func TestAgentIsSmall(t *testing.T) {
	deps := strings.Fields(string(command(t, "go", "list", "-deps", "./cmd/trial-agent")))
	for _, fault := range checkDeps(deps) {
		t.Error(fault)
	}
}

// maxLines is of a file of ours. Generated code and licences are not.
const maxLines = 500

// generated matches files that protoc has written.
var generated = regexp.MustCompile(`\.pb(\.gw)?\.go$`)

// personal matches an absolute path into somebody's home; one letter is nobody's name.
var personal = regexp.MustCompile(`(^|[^\w.~-])/(home|root|Users)/\w\w`)

func TestTrackedFiles(t *testing.T) {
	testenv.Program(t, "git")
	for name := range strings.SplitSeq(strings.TrimSuffix(string(command(t, "git", "ls-files", "-z")), "\x00"), "\x00") {
		text, err := os.ReadFile(name)
		if errors.Is(err, os.ErrNotExist) {
			continue // deleted, and not committed yet
		}
		if err != nil {
			t.Fatal(err)
		}
		for _, fault := range checkFile(name, text) {
			t.Error(fault)
		}
	}
}

// checkFile returns a sentence for each rule that a file breaks.
func checkFile(name string, text []byte) []string {
	if bytes.IndexByte(text, 0) >= 0 {
		return nil // no text
	}
	var faults []string
	if n := bytes.Count(text, []byte("\n")); strings.HasSuffix(name, ".go") && !generated.MatchString(name) && n > maxLines {
		faults = append(faults, fmt.Sprintf("%s: %d lines, at most %d: cut it where its subject changes", name, n, maxLines))
	}
	n := 0
	for line := range bytes.Lines(text) {
		n++
		if personal.Match(line) {
			faults = append(faults, fmt.Sprintf("%s:%d: an absolute path of one machine", name, n))
		}
	}
	return faults
}

// command runs a program at the root and returns what it prints.
func command(t *testing.T, name string, args ...string) []byte {
	t.Helper()
	out, err := exec.Command(name, args...).Output()
	if exit := (*exec.ExitError)(nil); errors.As(err, &exit) {
		t.Fatalf("%s %v: %v\n%s", name, args, err, exit.Stderr)
	} else if err != nil {
		t.Fatalf("%s %v: %v", name, args, err)
	}
	return out
}

func TestCheckPackages(t *testing.T) {
	at := func(dir string) string { return module + "/" + dir }
	tests := map[string]struct {
		pkg  pkg
		want []string
	}{
		"down": {
			pkg{ImportPath: at("pkg/tuner"), Name: "tuner", Doc: "d", Imports: []string{"fmt", at("pkg/store"), at("algorithms")}},
			nil,
		},
		"up": {
			pkg{ImportPath: at("pkg/searchspace"), Name: "searchspace", Doc: "d", Imports: []string{at("pkg/experiment")}},
			[]string{"pkg/searchspace imports pkg/experiment: it is the lowest layer"},
		},
		"sideways": {
			pkg{ImportPath: at("algorithms/bayes"), Name: "bayes", Doc: "d", Imports: []string{at("algorithms/random")}},
			[]string{"algorithms/bayes imports algorithms/random: methods share the contract, never each other"},
		},
		"contract to implementation": {
			pkg{ImportPath: at("pkg/store"), Name: "store", Doc: "d", Imports: []string{at("pkg/store/badger")}},
			[]string{"pkg/store imports pkg/store/badger: the contract must not know its implementations or who plans"},
		},
		"up in a test": {
			pkg{ImportPath: at("pkg/collector"), Name: "collector", XTestImports: []string{at("pkg/tuner")}},
			[]string{"pkg/collector imports pkg/tuner: text in, observations out"},
		},
		"further down in a test": {
			pkg{ImportPath: at("pkg/server"), Name: "server", TestImports: []string{at("pkg/store")}},
			nil,
		},
		"suite in a test": {
			pkg{ImportPath: at("pkg/store/badger"), Name: "badger", TestImports: []string{at("pkg/store/storetest"), at("internal/testenv")}},
			nil,
		},
		"test support outside of tests": {
			pkg{ImportPath: at("pkg/tuner"), Name: "tuner", Doc: "d", Imports: []string{at("internal/testenv")}},
			[]string{"pkg/tuner imports internal/testenv outside of tests: it is for tests alone"},
		},
		"own folders": {
			pkg{ImportPath: at("algorithms/bayes"), Name: "bayes", Doc: "d", Imports: []string{at("algorithms/bayes/gp")}},
			nil,
		},
		"domain in the agent": {
			pkg{ImportPath: at("cmd/trial-agent"), Name: "main", Doc: "d", Imports: []string{at("pkg/collector"), at("pkg/experiment")}},
			[]string{"cmd/trial-agent imports pkg/experiment: it is copied into the containers of trials: small, static, no daemon inside"},
		},
		"no layer": {
			pkg{ImportPath: at("pkg/novel"), Name: "novel", Doc: "d"},
			[]string{"pkg/novel: is in no layer: give it a row in layers_test.go"},
		},
		"empty name": {
			pkg{ImportPath: at("pkg/tuner/util"), Name: "util", Doc: "d"},
			[]string{`pkg/tuner/util: a package named "util" says nothing of what is inside`},
		},
		"no doc": {
			pkg{ImportPath: at("pkg/tuner"), Name: "tuner", Imports: []string{"fmt"}},
			[]string{"pkg/tuner: the package has no doc comment"},
		},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			if diff := cmp.Diff(checkPackages([]pkg{tt.pkg}), tt.want); diff != "" {
				t.Errorf("faults (-got +want):\n%s", diff)
			}
		})
	}
}

func TestCheckDeps(t *testing.T) {
	got := checkDeps([]string{"fmt", "google.golang.org/grpc", "gonum.org/v1/gonum/mat"})
	want := []string{"cmd/trial-agent depends on gonum.org/v1/gonum/mat: numerics has no place in the containers of trials"}
	if diff := cmp.Diff(got, want); diff != "" {
		t.Errorf("faults (-got +want):\n%s", diff)
	}
}

func TestCheckFile(t *testing.T) {
	home := "/" + "home/you"
	long := strings.Repeat("\n", maxLines+1)
	for name, tt := range map[string]struct {
		file, text string
		want       int
	}{
		"short":          {"a.go", "package a\n", 0},
		"at the limit":   {"a.go", long[1:], 0},
		"too long":       {"a.go", long, 1},
		"generated":      {"a.pb.go", long, 0},
		"a path of mine": {"a.md", "see " + home + "/x\n", 1},
		"quoted path":    {"a.sh", "cd '" + home + "'\n", 1},
		"part of a URL":  {"a.md", "https://example.com" + home + "\n", 0},
		"nobody's path":  {"a.go", home[:7] + "\n", 0},
		"no text":        {"a.gz", "\x00 " + home + "\n", 0},
	} {
		t.Run(name, func(t *testing.T) {
			if got := checkFile(tt.file, []byte(tt.text)); len(got) != tt.want {
				t.Errorf("%d faults %q, want %d", len(got), got, tt.want)
			}
		})
	}
}
