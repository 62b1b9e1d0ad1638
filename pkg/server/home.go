package server

import (
	"bytes"
	"errors"
	"fmt"
	"html/template"
	"net/http"
	"net/url"

	tunedv1 "github.com/tuned-hpo/tuned/api/tuned/v1"
	"github.com/tuned-hpo/tuned/pkg/experiment"
)

// homePage is what a browser gets: neither scripts nor styles, which the headers of every answer forbid.
var homePage = template.Must(template.New("home").Parse(`<!DOCTYPE html>
<html lang="en">
<head><meta charset="utf-8"><title>tuned</title></head>
<body>
<h1>tuned {{.Version}}</h1>
<p>This is the API of the daemon. A web interface is not part of this build.
See <a href="/openapi.json">/openapi.json</a> for the API and <a href="/metrics">/metrics</a> for its metrics.</p>
{{if .Experiments}}<table border="1" cellpadding="4">
<tr><th>Experiment</th><th>State</th><th>Trials</th><th>Running</th><th>Failed</th><th>Best</th><th></th></tr>
{{range .Experiments}}<tr><td><a href="{{.Path}}/report">{{.Name}}</a></td><td>{{.State}}</td><td>{{.Trials}}</td><td>{{.Running}}</td><td>{{.Failed}}</td><td>{{.Best}}</td><td><a href="{{.Path}}">JSON</a></td></tr>
{{end}}</table>{{else}}<p>There are no experiments yet.</p>{{end}}
</body>
</html>
`))

// doorPage is what a browser gets that shows no right token.
var doorPage = template.Must(template.New("door").Parse(`<!DOCTYPE html>
<html lang="en">
<head><meta charset="utf-8"><title>tuned</title></head>
<body>
<h1>tuned</h1>
<p>{{.}}</p>
<p>To see this in a browser, open the link that <code>tuned login</code> prints on the daemon's machine; <code>tuned
serve</code> prints one when it starts. A link lets in one browser, once, and this browser is known for a week then.</p>
</body>
</html>
`))

// showDoor tells a browser how to get in.
func (s *Server) showDoor(w http.ResponseWriter, err error) {
	says := "This needs a token, or a cookie."
	switch {
	case errors.Is(err, errWrongToken):
		says = "This token is not the right one."
	case errors.Is(err, errOldLink):
		says = "This link was opened before, or is too old."
	}
	w.Header().Set("Content-Type", "text/html; charset=utf-8")
	w.Header().Set("WWW-Authenticate", `Bearer realm="tuned"`)
	w.WriteHeader(http.StatusUnauthorized)
	_ = doorPage.Execute(w, says) // the client is gone, or gets it
}

// homeRow is an experiment on the page.
type homeRow struct {
	Path, Name, State, Trials, Best string
	Running, Failed                 uint32
}

// home lists the experiments for a browser.
func (s *Server) home(w http.ResponseWriter, r *http.Request) {
	all, err := s.Tuner.List(r.Context())
	if err != nil {
		s.refuse(w, s.failure(r.Context(), err, scope{}))
		return
	}
	rows := make([]homeRow, len(all))
	for i, e := range all {
		rows[i] = homeRowOf(experimentMessage(e))
	}
	var page bytes.Buffer
	if err := homePage.Execute(&page, map[string]any{"Version": s.Version, "Experiments": rows}); err != nil {
		s.refuse(w, s.failure(r.Context(), err, scope{}))
		return
	}
	w.Header().Set("Content-Type", "text/html; charset=utf-8")
	_, _ = w.Write(page.Bytes()) // the client is gone, or gets it
}

func homeRowOf(m *tunedv1.Experiment) homeRow {
	n := m.GetCounts()
	row := homeRow{
		Path: "/api/v1/namespaces/" + url.PathEscape(m.GetNamespace()) + "/experiments/" + url.PathEscape(m.GetName()),
		Name: m.GetNamespace() + "/" + m.GetName(), State: homeState(m), Trials: fmt.Sprint(n.GetTrials()),
		Running: n.GetRunning(), Failed: n.GetFailed() + n.GetMetricsUnavailable(),
	}
	if b := m.GetBudget(); b != nil && b.MaxTrials != nil {
		row.Trials += fmt.Sprintf(" of %d", b.GetMaxTrials())
	}
	if best := m.GetBest(); best != nil && best.Value != nil && len(m.GetObjectives()) > 0 {
		row.Best = fmt.Sprintf("%s: %s=%v", best.GetName(), m.GetObjectives()[0].GetMetric(), best.GetValue())
	}
	return row
}

// homeState is an experiment's state; of one that succeeded by Katib's rules alone, for it has no result, that too.
func homeState(m *tunedv1.Experiment) string {
	if m.GetState() != string(experiment.Succeeded) || m.GetBest() != nil {
		return m.GetState()
	}
	n := m.GetCounts()
	return m.GetState() + " (" + experiment.Fruitless(int(n.GetSucceeded()+n.GetEarlyStopped()), int(m.GetInfeasible())) + ")"
}
