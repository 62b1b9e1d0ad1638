package faults_test

import (
	"fmt"

	"github.com/tuned-hpo/tuned/pkg/experiment"
)

// Of the trials of one epoch the best goes on for three.
const handoverSpec = `  maxTrialCount: 6
  maxFailedTrialCount: 1
  algorithm:
    algorithmName: asha
    algorithmSettings: [{name: resource_name, value: epochs}]
  parameters:
    - {name: x, parameterType: double, feasibleSpace: {min: "0", max: "1"}}
    - {name: epochs, parameterType: int, feasibleSpace: {min: "1", max: "3"}}
`

// handoverScript fails when it finds a part of a checkpoint, or none where it should go on from one. It leaves
// a whole one in one step.
const handoverScript = `d=$TUNED_CHECKPOINT_DIR
if [ -e "$d/step" ]; then [ "$(cat "$d"/step/*)" = "$(printf '1\n2\n3')" ] || exit 1
else [ "$TUNED_PARAM_EPOCHS" = 1 ] || exit 2; fi
rm -rf "$d/new" && mkdir "$d/new" && for i in 1 2 3; do echo $i > "$d/new/$i"; done
rm -rf "$d/step" && mv "$d/new" "$d/step" && echo "loss=$TUNED_PARAM_X"`

// handover runs an experiment whose trials go on from checkpoints.
func (w *world) handover() {
	file := w.write("handover", fmt.Sprintf(header, "handover")+handoverSpec)
	w.finish(file, []string{"--", "sh", "-c", handoverScript})
	s := w.open()
	defer s.Close()
	trials, err := s.Trials(w.t.Context(), experiment.Key{Namespace: "default", Name: "handover"})
	if err != nil || len(trials) != 6 {
		w.t.Fatalf("got %d trials (%v), want 6", len(trials), err)
	}
	children := 0
	for i := range trials {
		t := &trials[i]
		if t.State != experiment.TrialSucceeded {
			w.t.Errorf("%s: got %s: %s", t.Name, t.State, t.Message)
		}
		if t.Parent > 0 {
			children++
		}
	}
	if children == 0 {
		w.t.Error("no trial went on from another")
	}
}
