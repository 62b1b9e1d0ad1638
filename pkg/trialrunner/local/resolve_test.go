package local

import (
	"errors"
	"io/fs"
	"math"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"sigs.k8s.io/yaml"

	"github.com/tuned-hpo/tuned/internal/testenv"
	"github.com/tuned-hpo/tuned/pkg/experiment"
	"github.com/tuned-hpo/tuned/pkg/searchspace"
	"github.com/tuned-hpo/tuned/pkg/trialrunner"
)

// object reads YAML.
func object(t *testing.T, text string) map[string]any {
	t.Helper()
	var out map[string]any
	if err := yaml.Unmarshal([]byte(text), &out); err != nil {
		t.Fatal(err)
	}
	return out
}

// job is a Job with one container.
func job(container string) string {
	return "kind: Job\nmetadata: {name: t, labels: {team: a}}\nspec: {template: {spec: {containers: [" + container + "]}}}"
}

// resolveTests have SUB in place of a folder below the working directory.
var resolveTests = []struct {
	name    string
	job     string
	command []string
	argv    []string
	env     []string
	dir     string
	err     string
}{
	{name: "command", command: []string{"sh", "-c", `echo "$(x)"`}, argv: []string{"sh", "-c", `echo "$(x)"`}},
	{name: "command relative to the folder", command: []string{"./train"}, argv: []string{"./train"}},
	{name: "unknown command", command: []string{"no-such-program"}, err: `there is no program "no-such-program"`},
	{name: "command that is no program", command: []string{"./plain"}, err: "permission denied"},
	{name: "command with NUL", command: []string{"sh", "a\x00b"}, err: "NUL"},

	{name: "container as written", job: job(`{name: main, image: i, command: [sh, -c, "x"], args: ["a b", "$(c)"]}`), argv: []string{"sh", "-c", "x", "a b", "$(c)"}},
	{
		name: "mapped", job: job(`{name: main, image: "mnist:1", command: [python3, /opt/mnist.py, --lr=0.5, tail], args: [z]}`),
		argv: []string{"./train", "--fast", "--lr=0.5", "tail", "z"},
	},
	{
		name: "mapped, positional value", job: job(`{name: main, image: "mnist:1", command: [python3, /opt/mnist.py, "0.5", tail]}`),
		argv: []string{"./train", "--fast", "0.5", "tail"},
	},
	{
		name: "mapped, assignment", job: job(`{name: main, image: "mnist:1", command: [python3, /opt/mnist.py, "lr=0.5"]}`),
		argv: []string{"./train", "--fast", "lr=0.5"},
	},
	{name: "mapped, options of the interpreter", job: job(`{name: main, image: bare, command: [/usr/bin/python3.12, -u, -B, train.py, --lr=0.5]}`), argv: []string{"./train", "--lr=0.5"}},
	{name: "mapped, module", job: job(`{name: main, image: bare, command: [python, -m, pkg.train, "0.5"]}`), argv: []string{"./train", "0.5"}},
	{name: "mapped without command", job: job(`{name: main, image: "mnist:1", args: ["--lr=0.5"]}`), argv: []string{"./train", "--fast", "--lr=0.5"}},
	{name: "mapped by name", job: job(`{name: main, image: "bare:v2", command: [python3, /opt/x.py]}`), argv: []string{"./train"}},
	{name: "mapped by name with digest", job: job(`{name: main, image: "bare@sha256:0a", command: [python3, /opt/x.py]}`), argv: []string{"./train"}},
	{name: "mapped shell script", job: job(`{name: main, image: bare, command: [sh, -c, "python3 /opt/x.py"]}`), err: "is a script for sh"},
	{name: "no command", job: job(`{name: main, image: "other:2", args: [x]}`), err: `image "other:2" has no local command: map it with --image other:2=COMMAND`},
	{name: "program missing", job: job(`{name: main, image: "other:2", command: [no-such-program]}`), err: `image "other:2": there is no program "no-such-program"`},
	{name: "script missing", job: job(`{name: main, image: "other:2", command: [sh, /opt/pytorch-mnist/mnist.py, --lr=1]}`), err: "there is no /opt/pytorch-mnist/mnist.py"},
	{name: "option may name what is missing", job: job(`{name: main, image: i, command: [sh, -c, "x", /no/such/file]}`), argv: []string{"sh", "-c", "x", "/no/such/file"}},

	{name: "working folder", job: job(`{name: main, image: i, command: [sh], workingDir: SUB}`), argv: []string{"sh"}, dir: "SUB"},
	{name: "working folder that is not here", job: job(`{name: main, image: i, command: [sh], workingDir: /no/such}`), argv: []string{"sh"}},
	{
		name: "environment", job: job(`{name: main, image: i, command: [sh], env: [{name: A, value: "b c"}, {name: E}, {name: POD, valueFrom: {fieldRef: {fieldPath: metadata.name}}}, {name: S, valueFrom: {fieldRef: {fieldPath: metadata.namespace}}}, {name: L, valueFrom: {fieldRef: {fieldPath: "metadata.labels['team']"}}}]}`),
		argv: []string{"sh"}, env: []string{"A=b c", "E=", "POD=trial", "S=ns", "L=a"},
	},
	{name: "secret", job: job(`{name: main, image: i, command: [sh], env: [{name: A, valueFrom: {secretKeyRef: {name: s, key: k}}}]}`), err: "spec.template.spec.containers[0].env[0].valueFrom"},
	{name: "envFrom", job: job(`{name: main, image: i, command: [sh], envFrom: [{configMapRef: {name: c}}]}`), err: "spec.template.spec.containers[0].envFrom"},
	{name: "reference to a variable", job: job(`{name: main, image: i, command: [sh], args: ["--lr=$(LR)"], env: [{name: LR, value: "1"}]}`), err: "$(LR)"},
	{name: "number as argument", job: job(`{name: main, image: i, command: [sh, 1]}`), err: "containers[0].command[1]"},
	{name: "init containers", job: "kind: Job\nspec: {template: {spec: {initContainers: [{name: a}], containers: [{name: main, command: [sh]}]}}}", err: "initContainers"},
	{name: "no such container", job: job(`{name: other, image: i, command: [sh]}`), err: `none is named "main"`},
	{name: "no pod", job: "kind: Job", err: "spec.template.spec"},

	{name: "one replica", job: "kind: PyTorchJob\nspec: {pytorchReplicaSpecs: {Master: {replicas: 1, template: {spec: {containers: [{name: main, command: [sh]}]}}}}}", argv: []string{"sh"}},
	{name: "a role without replicas", job: "kind: TFJob\nspec: {tfReplicaSpecs: {PS: {replicas: 0}, Worker: {template: {spec: {containers: [{name: main, command: [sh]}]}}}}}", argv: []string{"sh"}},
	{name: "two replicas", job: "kind: TFJob\nspec: {tfReplicaSpecs: {Worker: {replicas: 2, template: {spec: {containers: [{name: main, command: [sh]}]}}}}}", err: "spec.tfReplicaSpecs.Worker.replicas"},
	{name: "two roles", job: "kind: PyTorchJob\nspec: {pytorchReplicaSpecs: {Master: {replicas: 1, template: {spec: {}}}, Worker: {replicas: 1}}}", err: "spec.pytorchReplicaSpecs.Worker.replicas"},
	{name: "train job", job: "kind: TrainJob\nspec: {trainer: {numNodes: 1, image: i, command: [sh, -c], args: [x]}}", argv: []string{"sh", "-c", "x"}},
	{name: "train job on two nodes", job: "kind: TrainJob\nspec: {trainer: {numNodes: 2, command: [sh]}}", err: "spec.trainer.numNodes"},
	{name: "workflow", job: "kind: Workflow\nspec: {}", err: `a "Workflow"`},
}

func TestResolve(t *testing.T) {
	dir := t.TempDir()
	for name, mode := range map[string]os.FileMode{"train": 0o755, "plain": 0o644} {
		if err := os.WriteFile(filepath.Join(dir, name), []byte("#!/bin/sh\n"), mode); err != nil {
			t.Fatal(err)
		}
	}
	sub := filepath.Join(dir, "sub")
	if err := os.Mkdir(sub, 0o755); err != nil {
		t.Fatal(err)
	}
	images := map[string][]string{"mnist:1": {"./train", "--fast"}, "bare": {"./train"}}
	for _, test := range resolveTests {
		t.Run(test.name, func(t *testing.T) {
			spec := trialrunner.Spec{
				Experiment: experiment.Key{Namespace: "ns", Name: "e"}, Trial: "trial", Container: "main", Command: test.command,
				Assignment: searchspace.Assignment{{Name: "lr", Value: "0.5"}},
				Local:      experiment.Local{Dir: dir, Images: images},
			}
			if test.job != "" {
				spec.Template = object(t, strings.ReplaceAll(test.job, "SUB", sub))
			}
			got, err := Resolve(spec)
			if test.err != "" {
				if err == nil || !strings.Contains(err.Error(), test.err) || !errors.Is(err, trialrunner.ErrUnsupported) {
					t.Fatalf("got error %v, want ErrUnsupported with %q", err, test.err)
				}
				return
			}
			if err != nil {
				t.Fatal(err)
			}
			if !slices.Equal(got.Command.Argv, test.argv) || !slices.Equal(got.Command.Env, test.env) {
				t.Errorf("got argv %q and environment %q, want %q and %q", got.Command.Argv, got.Command.Env, test.argv, test.env)
			}
			if want := map[string]string{"": dir, "SUB": sub}[test.dir]; got.Command.Dir != want {
				t.Errorf("got folder %s", got.Command.Dir)
			}
			if !filepath.IsAbs(got.Command.Path) {
				t.Errorf("got path %s, want an absolute one", got.Command.Path)
			}
		})
	}
}

func TestResolveDeadline(t *testing.T) {
	const pod = "containers: [{name: main, image: i, command: [sh]}]"
	for _, test := range []struct {
		name, template string
		want           time.Duration
		err            string
	}{
		{"none", "kind: Job\nspec: {template: {spec: {" + pod + "}}}", 0, ""},
		{"Job", "kind: Job\nspec: {activeDeadlineSeconds: 90, template: {spec: {" + pod + "}}}", 90 * time.Second, ""},
		{"pod of a Job", "kind: Job\nspec: {template: {spec: {activeDeadlineSeconds: 7, " + pod + "}}}", 7 * time.Second, ""},
		{"both", "kind: Job\nspec: {activeDeadlineSeconds: 5, template: {spec: {activeDeadlineSeconds: 7, " + pod + "}}}", 5 * time.Second, ""},
		{"Pod", "kind: Pod\nspec: {activeDeadlineSeconds: 3, " + pod + "}", 3 * time.Second, ""},
		{
			"run policy", "kind: TFJob\nspec: {runPolicy: {activeDeadlineSeconds: 4}, tfReplicaSpecs: {Worker: {template: {spec: {activeDeadlineSeconds: 9, " + pod + "}}}}}",
			4 * time.Second, "",
		},
		{"longer than times are", "kind: Pod\nspec: {activeDeadlineSeconds: 9223372036854775807, " + pod + "}", math.MaxInt64, ""},
		{"null", "kind: Pod\nspec: {activeDeadlineSeconds: null, " + pod + "}", 0, ""},
		{"zero", "kind: Pod\nspec: {activeDeadlineSeconds: 0, " + pod + "}", 0, "spec.activeDeadlineSeconds"},
		{"text", "kind: Job\nspec: {activeDeadlineSeconds: 1m, template: {spec: {" + pod + "}}}", 0, "spec.activeDeadlineSeconds"},
	} {
		t.Run(test.name, func(t *testing.T) {
			templated, commanded := resolveTwice(t, test.template, test.err)
			if templated.Deadline != test.want {
				t.Errorf("got %s, want %s", templated.Deadline, test.want)
			}
			if commanded.Deadline != 0 {
				t.Errorf("with a command in place of the template: got %s, want no deadline", commanded.Deadline)
			}
		})
	}
}

// resolveTwice resolves a template, and a command in place of it. Where an error is wanted there are no processes.
func resolveTwice(t *testing.T, template, wanted string) (templated, commanded Process) {
	t.Helper()
	spec := trialrunner.Spec{Template: object(t, template), Container: "main", Local: experiment.Local{Dir: t.TempDir()}}
	templated, err := Resolve(spec)
	if wanted != "" {
		if err == nil || !strings.Contains(err.Error(), wanted) {
			t.Fatalf("got error %v, want one with %q", err, wanted)
		}
		return Process{}, Process{}
	}
	if err != nil {
		t.Fatal(err)
	}
	spec.Command = []string{"sh"} // then the template does not count
	if commanded, err = Resolve(spec); err != nil {
		t.Fatal(err)
	}
	return templated, commanded
}

func TestResolveRetries(t *testing.T) {
	const pod = "template: {spec: {containers: [{name: main, image: i, command: [sh]}]}}"
	for _, test := range []struct {
		name, template string
		want           int
		err            string
	}{
		{"none", "kind: Job\nspec: {" + pod + "}", 0, ""},
		{"some", "kind: Job\nspec: {backoffLimit: 6, " + pod + "}", 6, ""},
		{"0", "kind: Job\nspec: {backoffLimit: 0, " + pod + "}", 0, ""},
		{"null", "kind: Job\nspec: {backoffLimit: null, " + pod + "}", 0, ""},
		{"no Job", "kind: Pod\nspec: {backoffLimit: 6, containers: [{name: main, image: i, command: [sh]}]}", 0, ""},
		{"less than 0", "kind: Job\nspec: {backoffLimit: -1, " + pod + "}", 0, "spec.backoffLimit"},
		{"not whole", "kind: Job\nspec: {backoffLimit: 1.5, " + pod + "}", 0, "spec.backoffLimit"},
		{"more than there may be", "kind: Job\nspec: {backoffLimit: 3000000000, " + pod + "}", 0, "spec.backoffLimit"},
		{"text", "kind: Job\nspec: {backoffLimit: often, " + pod + "}", 0, "spec.backoffLimit"},
	} {
		t.Run(test.name, func(t *testing.T) {
			templated, commanded := resolveTwice(t, test.template, test.err)
			if templated.Retries != test.want {
				t.Errorf("got %d, want %d", templated.Retries, test.want)
			}
			if commanded.Retries != 0 {
				t.Errorf("with a command in place of the template: got %d, want none", commanded.Retries)
			}
		})
	}
}

func TestResolveCollector(t *testing.T) {
	for _, test := range []struct{ name, collector, want, err string }{
		{"none given", "{}", "StdOut", ""},
		{"absolute path", "{collector: {kind: File}, source: {fileSystemPath: {path: /var/log/katib/metrics.log, format: TEXT}}}", "File /var/log/katib/metrics.log TEXT", ""},
		{"relative path", "{collector: {kind: File}, source: {fileSystemPath: {path: out/m.json, format: JSON}}}", "File /out/m.json JSON", ""},
		{"no path", "{collector: {kind: TensorFlowEvent}}", "", "fileSystemPath.path"},
		{"page", "{collector: {kind: PrometheusMetric}, source: {httpGet: {path: /metrics, port: 8080, host: example.com}}}", "PrometheusMetric http://127.0.0.1:8080/metrics", ""},
		{"page, port as text", `{collector: {kind: PrometheusMetric}, source: {httpGet: {path: m, port: "81"}}}`, "PrometheusMetric http://127.0.0.1:81/m", ""},
		{"page, named port", `{collector: {kind: PrometheusMetric}, source: {httpGet: {path: m, port: web}}}`, "", "httpGet.port"},
		{"page, no port", `{collector: {kind: PrometheusMetric}, source: {httpGet: {path: m}}}`, "", "httpGet.port"},
		{"custom", "{collector: {kind: Custom, customCollector: {image: i, command: [sh, -c, x]}}}", "Custom sh -c x", ""},
		{"custom without command", "{collector: {kind: Custom, customCollector: {image: own}}}", "", `image "own" has no local command`},
	} {
		t.Run(test.name, func(t *testing.T) {
			spec := trialrunner.Spec{Command: []string{"sh"}, Local: experiment.Local{Dir: "/"}}
			if err := yaml.Unmarshal([]byte(test.collector), &spec.Collector); err != nil {
				t.Fatal(err)
			}
			p, err := Resolve(spec)
			if test.err != "" {
				if err == nil || !strings.Contains(err.Error(), test.err) {
					t.Fatalf("got error %v, want one with %q", err, test.err)
				}
				return
			}
			if err != nil {
				t.Fatal(err)
			}
			parts := []string{p.Collector.Kind, p.Collector.Path, p.Collector.Format, p.Collector.URL}
			if c := p.Collector.Command; c != nil {
				parts = append(parts, c.Argv...)
			}
			if got := strings.Join(strings.Fields(strings.Join(parts, " ")), " "); got != test.want {
				t.Errorf("got %s, want %s", got, test.want)
			}
		})
	}
}

// TestResolveExamples maps the image of every example of Katib to a local command.
func TestResolveExamples(t *testing.T) {
	resolved := 0
	root := testenv.Katib(t, "examples")
	err := fs.WalkDir(os.DirFS(root), ".", func(path string, _ fs.DirEntry, err error) error {
		if err != nil || filepath.Ext(path) != ".yaml" {
			return err
		}
		text, err := os.ReadFile(filepath.Join(root, path))
		if err != nil {
			return err
		}
		if spec, ok := example(t, text); ok {
			p, err := Resolve(spec)
			switch {
			case err == nil:
				resolved++
				if word := p.Command.Argv[0]; word != "true" && word != "sh" {
					t.Errorf("%s: got %q", path, p.Command.Argv)
				}
			case !errors.Is(err, trialrunner.ErrUnsupported):
				t.Errorf("%s: %v", path, err)
			}
			t.Logf("%s: %q, %v", path, p.Command.Argv, err)
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	if resolved == 0 {
		t.Error("no example can run here")
	}
}

// example reads an experiment with a template, and maps all that may be an image.
func example(t *testing.T, text []byte) (spec trialrunner.Spec, ok bool) {
	var e experiment.Experiment
	if yaml.Unmarshal(text, &e) != nil || e.Kind != "Experiment" || e.Spec.TrialTemplate == nil || e.Spec.TrialTemplate.TrialSpec == nil {
		return spec, false
	}
	spec = trialrunner.Spec{
		Template: e.Spec.TrialTemplate.TrialSpec, Container: e.Spec.TrialTemplate.PrimaryContainerName,
		Local: experiment.Local{Dir: t.TempDir(), Images: map[string][]string{}},
	}
	for word := range strings.FieldsSeq(string(text)) {
		if strings.ContainsAny(word, ":/") {
			spec.Local.Images[strings.Trim(word, `"`)] = []string{"true"}
		}
	}
	return spec, true
}
