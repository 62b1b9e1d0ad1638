package guard_test

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"sync"
	"syscall"
	"testing"

	"github.com/tuned-hpo/tuned/api/tuned/v1/openapi"
)

// canaries are secrets; each says where it was put.
var canaries = map[string]string{
	"daemon's environment": "canary-environ-1a2b", "variable": "-canary-variable-1a2b", "flag": "$canary-flag-1a2b", "URL's user": "canary-user-1a2b",
	"URL's query": "canary-query-1a2b", "header": "canary-header-1a2b", "image's command": "canary-image-1a2b", "annotation": "canary-annotation-1a2b",
	"webhook's path": "canary-path-1a2b", "webhook's query": "canary-sig-1a2b", "webhook's key": "canary-key-1a2b", "webhook of the config": "canary-hooks-1a2b",
	"traces' query": "canary-traces-1a2b", "wrong token": "canary-wrong-1a2b", "source of webhooks": "canary-source-1a2b",
	"login of curl": "canary-curl-1a2b", "password of mysql": "canary-mysql-1a2b", "cookie": "canary-cookie-1a2b", "flag pass": "canary-pass-1a2b",
	"variable in a script": "canary-script-1a2b", "pass of an image": "canary-imagepass-1a2b",
}

// secretVariables are names of variables as services and programs have them.
var secretVariables = strings.Fields(`DB_PASS REDIS_PASS SMTP_PASS MYSQL_PWD PGPASSWORD WANDB_KEY WANDB_API_KEY MASTER_KEY LICENSE_KEY JWT SESSION_COOKIE
	CREDS AWS_SECRET_ACCESS_KEY AWS_SESSION_TOKEN COMET_API_KEY NEPTUNE_API_TOKEN OPENAI_KEY AZURE_STORAGE_KEY GH_PAT VAULT_TOKEN NPM_AUTH DJANGO_SECRET_KEY
	SIGNING_KEY ENCRYPTION_KEY WIFI_PSK CLIENT_SECRET SSH_PASSPHRASE STRIPE_KEY API_KEYS KEYPASS DBPASS REGISTRY_AUTH`)

func init() {
	for _, name := range secretVariables {
		canaries["variable "+name] = canaryOf(name)
		printed = append(printed, "variable "+name)
	}
}

func canaryOf(variable string) string { return "canary-" + variable + "-1a2b" }

// variables are the secret ones, as the template of a trial has them.
func variables() string {
	var out strings.Builder
	for _, name := range secretVariables {
		fmt.Fprintf(&out, "              - {name: %s, value: %s}\n", name, canaryOf(name))
	}
	return out.String()
}

// printed are those that a trial prints.
var printed = []string{"daemon's environment", "variable", "flag", "URL's user", "URL's query", "header"}

// tokenOfATrial is how one looks.
var tokenOfATrial = regexp.MustCompile(`[\w-]{40,}\.[0-9a-f]{64}`)

// keeper looks for canaries in what came out of the daemon.
type keeper struct {
	t     *testing.T
	token string // of the user

	mu     sync.Mutex
	looked int
}

// look reports what should have stayed inside.
func (k *keeper) look(where string, text []byte) {
	k.mu.Lock()
	defer k.mu.Unlock()
	k.looked++
	found := func(what string, at int) {
		k.t.Errorf("%s has the %s: ...%s...", where, what, text[max(0, at-100):min(len(text), at+60)])
	}
	for what, canary := range canaries {
		if at := bytes.Index(text, []byte(strings.TrimLeft(canary, "-$"))); at >= 0 {
			found(what, at)
		}
	}
	if at := bytes.Index(text, []byte(k.token)); at >= 0 {
		found("user's token", at)
	}
	if at := tokenOfATrial.FindIndex(text); at != nil {
		found("token of a trial", at[0])
	}
}

// receiver gets webhooks and traces, whose bodies are looked at.
func (k *keeper) receiver(t *testing.T) (url string, got func(kind string) int) {
	t.Helper()
	var mu sync.Mutex
	counts := map[string]int{}
	s := httptest.NewServer(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
		body, _ := io.ReadAll(r.Body) // a part is looked at, too
		kind, _, _ := strings.Cut(strings.TrimPrefix(r.URL.Path, "/"), "/")
		k.look("body of "+kind, body)
		mu.Lock()
		defer mu.Unlock()
		counts[kind]++
	}))
	t.Cleanup(s.Close)
	return s.URL, func(kind string) int {
		mu.Lock()
		defer mu.Unlock()
		return counts[kind]
	}
}

// secretive is an experiment that holds canaries wherever a secret may stand, and whose trials print them all.
// Its fields are the name, the exit code of the trials, and the URL of the receiver.
const secretive = `apiVersion: kubeflow.org/v1beta1
kind: Experiment
metadata: {name: %[1]s, annotations: {api-token: canary-annotation-1a2b}}
spec:
  maxTrialCount: 2
  maxFailedTrialCount: 2
  parallelTrialCount: 1
  objective: {type: minimize, objectiveMetricName: loss}
  algorithm: {algorithmName: random}
  parameters:
  - {name: lr, parameterType: double, feasibleSpace: {min: "0.1", max: "1"}}
  tuned:
    webhooks:
    - {url: "%[3]s/hook/canary-path-1a2b?sig=canary-sig-1a2b", secretFile: key, events: [succeeded, failed, trialFailed]}
  trialTemplate:
    primaryContainerName: main
    trialParameters: [{name: lr, reference: lr}]
    trialSpec:
      apiVersion: batch/v1
      kind: Job
      spec:
        template:
          spec:
            restartPolicy: Never
            containers:
            - name: main
              image: train
              command: [sh, -c, 'echo "loss=${trialParameters.lr}"; echo "$HF_TOKEN $DB_PASSWORD $TUNED_TOKEN"; env; echo "$@"; exit %[2]d', x,
                --api-key, $canary-flag-1a2b, "https://canary-user-1a2b@h/r", "https://h/b?sig=canary-query-1a2b", "Authorization: Bearer canary-header-1a2b",
                --pass, canary-pass-1a2b, "curl -u me:canary-curl-1a2b h", "mysql -pcanary-mysql-1a2b", "Cookie: a=b; sid=canary-cookie-1a2b", "SMTP_PASS=canary-script-1a2b x"]
              env:
              - {name: DB_PASSWORD, value: "-canary-variable-1a2b"}
%[4]s`

const settings = `logLevel: debug
images: {other: "sh -c true --password=canary-image-1a2b", pass: "x --pass canary-imagepass-1a2b"}
webhooks:
  source: "https://me:canary-source-1a2b@h/x"
  hooks: [{url: "%[1]s/all?token=canary-hooks-1a2b", secretEnv: TUNED_WEBHOOK_KEY}]
  allow: [127.0.0.1]
traces: {endpoint: "%[1]s/traces?token=canary-traces-1a2b"}
`

// TestCanaries: what was given to the daemon in secret comes out nowhere but in the log of the trial that prints
// it. The real program is looked at from outside: its log, each route of its description, what it sends,
// and what the command line writes.
func TestCanaries(t *testing.T) {
	dir := t.TempDir()
	data := filepath.Join(dir, "data")
	k := &keeper{t: t, token: "none yet"}
	url, got := k.receiver(t)
	config := filepath.Join(dir, "config.yaml")
	write(t, config, fmt.Sprintf(settings, url))
	write(t, filepath.Join(data, "secrets", "key"), "canary-key-1a2b")
	d := serve(t, data, config, "HF_TOKEN=canary-environ-1a2b", "TUNED_WEBHOOK_KEY=canary-key-1a2b")
	k.token = d.Token
	for name, code := range map[string]int{"failing": 3, "fine": 0} {
		file := filepath.Join(dir, name+".yaml")
		write(t, file, fmt.Sprintf(secretive, name, code, url, variables()))
		for _, command := range []string{"validate", "explain"} {
			k.look("tuned "+command, d.run(0, command, file))
		}
		k.look("tuned submit", d.run(0, "submit", file))
		k.look("tuned wait", d.run(map[string]int{"failing": 4, "fine": 0}[name], "wait", name))
	}
	k.refused(d, dir)
	k.routes(d)
	k.commands(d, dir)
	d.End(syscall.SIGTERM)
	k.look("log of the daemon", d.Log.Bytes())
	text, err := os.ReadFile(filepath.Join(data, "tuned.log"))
	if err != nil || len(text) < 1000 {
		t.Errorf("tuned.log has %d bytes, %v", len(text), err)
	}
	k.look("tuned.log", text)
	if got("hook") < 4 || got("all") < 4 || got("traces") < 1 || k.looked < 80 {
		t.Errorf("%d and %d webhooks, %d of traces, %d things looked at: too few to believe", got("hook"), got("all"), got("traces"), k.looked)
	}
	t.Logf("%d canaries, looked for in %d answers, files and messages", len(canaries), k.looked)
}

// refused sends what cannot be, with canaries in it.
func (k *keeper) refused(d *daemon, dir string) {
	file := filepath.Join(dir, "bad.yaml")
	for what, text := range map[string]string{
		"no such program": strings.Replace(secretive, "[sh, -c,", "[--token=canary-flag-1a2b, -c,", 1),
		"another kind":    strings.Replace(secretive, "restartPolicy: Never", "restartPolicy: [canary]", 1),
		"no URL":          strings.Replace(secretive, "%[3]s/hook/", "ftp://canary-user-1a2b@h/", 1),
		"another one":     strings.Replace(secretive, "canary-flag-1a2b", "canary-flag-1a2bc", 1),
	} {
		write(k.t, file, fmt.Sprintf(text, "fine", 0, "http://h", variables()))
		k.look("tuned submit, "+what, d.run(-1, "submit", file))
	}
	for _, image := range []string{"i", "i=a 'canary-image-1a2b"} {
		k.look("tuned run --image", d.run(-1, "run", file, "--image", image))
	}
	config := filepath.Join(dir, "bad-config.yaml")
	for _, images := range []string{`"a 'canary-image-1a2b"`, "{x: canary-image-1a2b}"} {
		write(k.t, config, "images: {i: "+images+"}\n")
		k.look("config with images", d.run(-1, "serve", "--config", config))
	}
	k.look("wrong token", d.get(http.MethodGet, "/api/v1/version", "canary-wrong-1a2b"))
	k.look("wrong token to log in", d.get(http.MethodGet, "/?token=canary-wrong-1a2b", "none"))
	k.look("wrong link to log in", d.get(http.MethodGet, "/?login=canary-wrong-1a2b", "none"))
}

// routes walks the description.
func (k *keeper) routes(d *daemon) {
	var doc struct {
		Paths map[string]map[string]json.RawMessage
	}
	if err := json.Unmarshal(openapi.JSON, &doc); err != nil {
		k.t.Fatal(err)
	}
	for path, item := range doc.Paths {
		for method := range item {
			method = strings.ToUpper(method)
			if !slices.Contains([]string{http.MethodGet, http.MethodPost}, method) || strings.HasSuffix(path, "/stop") {
				continue
			}
			for _, name := range []string{"failing", "fine"} {
				path := strings.NewReplacer("{namespace}", "default", "{experiment}", name, "{name}", name, "{trial}", "1").Replace(path)
				body := d.get(method, path, d.Token)
				if !strings.HasSuffix(path, "/log") {
					k.look(method+" "+path, body)
					continue
				}
				for _, what := range printed {
					if !bytes.Contains(body, []byte(canaries[what])) {
						k.t.Errorf("%s lacks the %s, which the trial printed:\n%s", path, what, body)
					}
				}
			}
		}
	}
	k.look("/", d.get(http.MethodGet, "/", d.Token))
}

// commands looks at what the command line prints and writes.
func (k *keeper) commands(d *daemon, dir string) {
	for _, name := range []string{"failing", "fine"} {
		for _, args := range [][]string{
			{"describe", name},
			{"describe", name, "-o", "json"},
			{"describe", name, "1"},
			{"trials", name, "-o", "yaml"},
			{"get", name, "-o", "yaml"},
		} {
			k.look("tuned "+strings.Join(args, " "), d.run(0, args...))
		}
		for _, format := range []string{"csv", "json", "parquet", "optuna-journal"} {
			file := filepath.Join(dir, name+"."+format)
			k.look("tuned export", d.run(0, "export", name, "-o", format, "-f", file))
			k.file(file)
		}
		k.look("tuned report", d.run(0, "report", name, "-f", filepath.Join(dir, name+".html")))
		k.file(filepath.Join(dir, name+".html"))
	}
	backup := filepath.Join(dir, "backup")
	k.look("tuned store backup", d.run(0, "store", "backup", backup))
	k.look("tuned store verify", d.run(0, "store", "verify", backup))
	k.look("tuned doctor", d.run(-1, "doctor"))
}

// file looks at what a command wrote.
func (k *keeper) file(path string) {
	k.t.Helper()
	text, err := os.ReadFile(path)
	if err != nil || len(text) == 0 {
		k.t.Errorf("%s has %d bytes, %v", filepath.Base(path), len(text), err)
	}
	k.look(filepath.Base(path), text)
}
