// Package faults_test makes the real program die, or fail, at each named failpoint once, starts it
// again, and looks for what was lost, done twice or left behind.
package faults_test

import (
	"flag"
	"fmt"
	"math/rand/v2"
	"os"
	"strings"
	"sync/atomic"
	"testing"

	"github.com/tuned-hpo/tuned/internal/testenv"
)

var (
	seeds = flag.Int("fault-seeds", 1, "how often each fault is made to happen; the first time at the first hit, later at a random one")
	seed  = flag.Uint64("fault-seed", 1, "of experiments, moments and hits")
)

var bin string // folder of the programs, built with failpoints

func TestMain(m *testing.M) {
	flag.Parse()
	os.Exit(testenv.WithPrograms(m, &bin,
		"-tags=failpoint",
		"github.com/tuned-hpo/tuned/cmd/tuned",
		"github.com/tuned-hpo/tuned/cmd/trial-agent",
		"github.com/tuned-hpo/tuned/test/kill/noisy"))
}

// fault is one thing that happens once.
type fault struct {
	point, part, kind string
	hit               int    // at which it happens
	seed              uint64 // of the rest
}

func (f fault) String() string { return fmt.Sprintf("%s=%s:%d", f.point, f.kind, f.hit) }

// faults reads the list of points.
func faults(t *testing.T) (out []fault) {
	t.Helper()
	text, err := os.ReadFile("../../internal/failpoint/points.txt")
	if err != nil {
		t.Fatal(err)
	}
	random := rand.New(rand.NewPCG(*seed, 0))
	for line := range strings.Lines(string(text)) {
		field := strings.Fields(line)
		if field[0] == "#" {
			continue
		}
		for _, kind := range strings.Split(field[2], ",") {
			for n := range *seeds {
				f := fault{point: field[0], part: field[1], kind: kind, hit: 1, seed: *seed + uint64(n)}
				if n > 0 {
					f.hit = 1 + random.IntN(5)
				}
				out = append(out, f)
			}
		}
	}
	return out
}

// paces are the times between two values that a long trial prints. On a busy machine the first trials may
// be over before their agents have come to report.
var paces = []string{"40ms", "300ms", "1s"}

// TestFailpoints has each point hit, and the invariants hold after that.
func TestFailpoints(t *testing.T) {
	parts := map[string]func(*world){
		"trials": (*world).trials, "stop": (*world).stop, "tell": (*world).tell, "delete": (*world).delete,
		"control": (*world).control, "import": (*world).imports, "webhook": (*world).webhook,
		"prune": (*world).prune, "handover": (*world).handover,
	}
	all := faults(t)
	var hit atomic.Int64
	points := map[string]bool{}
	t.Run("all", func(t *testing.T) {
		for i, f := range all {
			points[f.point] = true
			t.Run(fmt.Sprintf("%s#%d", f, i), func(t *testing.T) {
				t.Parallel()
				happened := false
				for _, pace := range paces {
					w := newWorld(t, f, pace)
					parts[f.part](w)
					w.check()
					if happened = w.happened(); happened || f.hit > 1 {
						break
					}
				}
				if happened {
					hit.Add(1)
				} else if f.hit == 1 {
					t.Errorf("%s was never hit", f.point)
				}
			})
		}
	})
	t.Logf("%d points, %d faults, %d of them happened", len(points), len(all), hit.Load())
}
