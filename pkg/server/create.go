package server

import (
	"context"
	"errors"
	"path/filepath"
	"runtime"

	tunedv1 "github.com/tuned-hpo/tuned/api/tuned/v1"
	"github.com/tuned-hpo/tuned/pkg/experiment"
	"github.com/tuned-hpo/tuned/pkg/tuner"
)

// CreateExperiment stores an experiment and begins to drive it.
func (u *users) CreateExperiment(ctx context.Context, r *tunedv1.CreateExperimentRequest) (*tunedv1.Experiment, error) {
	e, warnings, err := u.read(r)
	if err != nil {
		return nil, u.failure(ctx, err, scope{invalid: reasonManifest})
	}
	if r.GetValidateOnly() {
		if err := u.Tuner.Check(ctx, e); err != nil {
			return nil, u.failure(ctx, err, scope{key: e.Key(), invalid: reasonManifest})
		}
		m, err := wholeMessage(&tuner.Snapshot{Experiment: e, External: e.External()})
		if err != nil {
			return nil, u.failure(ctx, err, scope{})
		}
		m.Warnings = warnings
		return m, nil
	}
	created, err := u.Tuner.Create(ctx, e)
	if err != nil {
		return nil, u.failure(ctx, err, scope{key: e.Key(), invalid: reasonManifest})
	}
	m, err := u.whole(ctx, created.Key())
	if err != nil {
		return nil, err
	}
	m.Warnings = warnings
	return m, nil
}

// read makes an experiment of a request. All that is wrong with it comes at once.
func (u *users) read(r *tunedv1.CreateExperimentRequest) (e *experiment.Experiment, warnings []string, err error) {
	if n := len(r.GetManifest()); n > u.Limits.Manifest {
		return nil, nil, fail(reasonManifestLarge, "a manifest of %d bytes: want at most %d", n, u.Limits.Manifest)
	}
	o, local := u.Options, r.GetLocal()
	if err := u.checkLocal(local); err != nil {
		return nil, nil, err
	}
	o.Strict, o.CommandGiven = r.GetStrict(), len(local.GetCommand()) > 0
	if template := local.GetTemplate(); template != "" {
		o.ConfigMaps = func(string, string, string) (string, error) { return template, nil }
	}
	result := experiment.Read("", []byte(r.GetManifest()), o)
	for _, w := range result.Warnings {
		warnings = append(warnings, w.Error())
	}
	if len(result.Faults) > 0 {
		return nil, nil, faulty(result.Faults)
	}
	e = result.Experiment
	if r.GetNamespace() != "" {
		e.Metadata.Namespace = r.GetNamespace()
	}
	if l := &e.Local; !u.Local && (l.Dir != "" || len(l.Command)+len(l.Images) > 0) {
		return nil, nil, fail(reasonLocal, "local: trials do not run as processes of this daemon's machine: take it out of the manifest")
	}
	layLocal(local, &e.Local)
	if u.Prepare != nil {
		if err := u.Prepare(e); err != nil {
			return nil, nil, unprepared(err)
		}
	}
	if faults := experiment.Validate(e, o); len(faults) > 0 {
		return nil, nil, faulty(faults)
	}
	return e, warnings, nil
}

// unprepared says why an experiment cannot be run here, or that none may be created now (tuner.ErrConflict).
func unprepared(err error) error {
	if faults := experiment.Faults(nil); errors.As(err, &faults) {
		return faulty(faults)
	}
	if errors.Is(err, tuner.ErrConflict) {
		return fail(reasonState, "%v", err)
	}
	return fail(reasonManifest, "%v", err)
}

// layLocal lays what a request says of processes of this machine over what its manifest says.
func layLocal(given *tunedv1.Local, over *experiment.Local) {
	if given.GetDir() != "" {
		over.Dir = given.GetDir()
	}
	if len(given.GetCommand()) > 0 {
		over.Command = given.GetCommand()
	}
	if len(given.GetImages()) > 0 && over.Images == nil {
		over.Images = map[string][]string{}
	}
	for image, command := range given.GetImages() {
		over.Images[image] = command.GetWords()
	}
}

func (u *users) checkLocal(local *tunedv1.Local) error {
	switch {
	case local == nil:
	case !u.Local:
		return fail(reasonLocal, "trials do not run as processes of this daemon's machine: leave local away")
	case local.GetDir() != "" && !filepath.IsAbs(local.GetDir()):
		return fail(reasonLocal, "local.dir %q: want an absolute path", local.GetDir())
	}
	return nil
}

// ListAlgorithms lists the algorithms that an experiment can name.
func (u *users) ListAlgorithms(context.Context, *tunedv1.ListAlgorithmsRequest) (*tunedv1.ListAlgorithmsResponse, error) {
	response := &tunedv1.ListAlgorithmsResponse{}
	for _, d := range u.Algorithms.Definitions() {
		if d.New != nil {
			response.Algorithms = append(response.Algorithms, algorithmMessage(&d))
		}
	}
	return response, nil
}

// GetVersion returns the version of the daemon.
func (u *users) GetVersion(context.Context, *tunedv1.GetVersionRequest) (*tunedv1.GetVersionResponse, error) {
	return &tunedv1.GetVersionResponse{Version: u.Version, Go: runtime.Version()}, nil
}
