package tuner

import (
	"fmt"
	"time"

	"github.com/tuned-hpo/tuned/pkg/experiment"
	"github.com/tuned-hpo/tuned/pkg/trialrunner"
)

// runSpec renders what the runner needs to start the trial's current attempt.
func runSpec(e *experiment.Experiment, t *experiment.Trial) (trialrunner.Spec, error) {
	o := e.Spec.Objective
	spec := trialrunner.Spec{
		Experiment: e.Key(), UID: e.Metadata.UID, Trial: t.Name, Attempt: t.Attempt,
		Assignment: t.Assignment, Objective: o.ObjectiveMetricName,
		Metrics: append([]string{o.ObjectiveMetricName}, o.AdditionalMetricNames...),
		Limits:  limits(e.Spec.Tuned), Local: e.Local, Checkpoint: checkpoint(e, t),
	}
	if e.Spec.MetricsCollectorSpec != nil {
		spec.Collector = *e.Spec.MetricsCollectorSpec
	}
	if err := render(&spec, e, t); err != nil {
		return spec, fmt.Errorf("render trial template: %w: %w", err, trialrunner.ErrUnsupported)
	}
	return spec, nil
}

func render(spec *trialrunner.Spec, e *experiment.Experiment, t *experiment.Trial) (err error) {
	ctx := experiment.TrialContext{Name: t.Name, Namespace: e.Metadata.Namespace, Assignment: t.Assignment}
	template := e.Spec.TrialTemplate
	if len(e.Local.Command) > 0 {
		var params []experiment.TrialParameter
		if template != nil {
			params = template.TrialParameters
		}
		spec.Command, err = experiment.RenderCommand(e.Local.Command, params, ctx)
		return err
	}
	spec.Container = template.PrimaryContainerName
	if template.ConfigMap != nil {
		spec.Template, err = experiment.RenderYAML(e.Local.Template, template.TrialParameters, ctx)
		return err
	}
	spec.Template, err = experiment.Render(template.TrialSpec, template.TrialParameters, ctx)
	return err
}

// checkpoint says where a trial goes on from.
func checkpoint(e *experiment.Experiment, t *experiment.Trial) (c trialrunner.Checkpoint) {
	if t.Parent > 0 {
		c.Parent = experiment.TrialName(e.Metadata.Name, e.Metadata.UID, t.Parent)
	}
	if x := e.Spec.Tuned; x != nil {
		c.Folder = x.Checkpoints
	}
	c.Path = e.Spec.Algorithm.CheckpointPath()
	return c
}

func limits(x *experiment.Extension) trialrunner.Limits {
	if x == nil {
		return trialrunner.Limits{}
	}
	return trialrunner.Limits{
		Wall: duration(x.TrialTimeout), Progress: duration(x.ProgressTimeout), Grace: duration(x.StopGrace),
		CPUs: x.CPUs, GPUs: x.GPUs,
	}
}

func duration(d *experiment.Duration) time.Duration {
	if d == nil {
		return 0
	}
	return time.Duration(*d)
}
