package server_test

import (
	"net/http"
	"strings"
	"testing"

	tunedv1 "github.com/tuned-hpo/tuned/api/tuned/v1"
)

// TestHome follows the link that a person opens: it becomes a cookie, and the page lists what there is.
func TestHome(t *testing.T) {
	r := newRig(t, 7)
	if err := r.tell(t.Context(), r.ask(t, 1, "").GetTrials()[0].GetName(), "0.5"); err != nil {
		t.Fatal(err)
	}
	entry := r.do(t, http.MethodGet, r.link(t), "")
	cookies := entry.Cookies()
	if entry.StatusCode != http.StatusSeeOther || entry.Header.Get("Location") != "/" || len(cookies) != 1 {
		t.Fatalf("the link: got %s to %q with %v", entry.Status, entry.Header.Get("Location"), cookies)
	}
	page := r.do(t, http.MethodGet, "/", "", "Cookie", cookies[0].Name+"="+cookies[0].Value)
	if page.StatusCode != http.StatusOK || page.Header.Get("Content-Type") != "text/html; charset=utf-8" {
		t.Fatalf("the page: got %s, %s: %s", page.Status, page.Header.Get("Content-Type"), page.body)
	}
	checkHeaders(t, "the page", page.Header)
	for _, want := range []string{
		`<a href="/api/v1/namespaces/default/experiments/asked/report">default/asked</a>`, `<a href="/api/v1/namespaces/default/experiments/asked">JSON</a>`, ">Running<", ">1 of 7<", "=0.5<",
		`href="/openapi.json"`, `href="/metrics"`, "A web interface is not part of this build",
	} {
		if !strings.Contains(string(page.body), want) {
			t.Errorf("the page lacks %q:\n%s", want, page.body)
		}
	}
	if strings.Contains(string(page.body), "<script") || strings.Contains(string(page.body), "style") {
		t.Errorf("the page has what its headers forbid:\n%s", page.body)
	}
}

// TestStrangers: nobody gets in without the token; a browser is told how, and who shows a wrong one that it is wrong.
func TestStrangers(t *testing.T) {
	r := newRig(t, 1)
	const browser = "text/html,application/xhtml+xml"
	tests := []struct{ name, path, accept, authorization, kind, want string }{
		{"a program", "/", "*/*", "", "application/problem+json", "this needs a token"},
		{"a program with a wrong token", "/", "*/*", "Bearer wrong", "application/problem+json", "is not a right one"},
		{"a browser", "/", browser, "", "text/html; charset=utf-8", "This needs a token"},
		{"a browser with a wrong token", "/", browser, "Bearer wrong", "text/html; charset=utf-8", "This token is not the right one"},
		{"a browser with the user's token as its link", "/?token=" + userToken, browser, "", "text/html; charset=utf-8", "This needs a token"},
		{"a browser with a wrong link", "/?login=wrong", browser, "", "text/html; charset=utf-8", "This link was opened before, or is too old"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			header := []string{"Accept", tt.accept}
			if tt.authorization != "" {
				header = append(header, "Authorization", tt.authorization)
			}
			got := r.do(t, http.MethodGet, tt.path, "", header...)
			if got.StatusCode != http.StatusUnauthorized || got.Header.Get("Content-Type") != tt.kind || !strings.Contains(string(got.body), tt.want) {
				t.Errorf("got %s, %s: %s; want %s with %q", got.Status, got.Header.Get("Content-Type"), got.body, tt.kind, tt.want)
			}
			checkHeaders(t, "the answer", got.Header)
			if got.Header.Get("WWW-Authenticate") == "" {
				t.Error("the answer does not ask for a token")
			}
		})
	}
}

// TestHomeWithoutResult wants the page to say of an experiment that has ended by its budget that it has no result.
func TestHomeWithoutResult(t *testing.T) {
	r := newRig(t, 1)
	if err := r.tell(t.Context(), r.ask(t, 1, "").GetTrials()[0].GetName(), "NaN"); err != nil {
		t.Fatal(err)
	}
	// The end follows from the trial before anything else is done with the experiment.
	if _, err := r.users.AnnotateExperiment(t.Context(), &tunedv1.AnnotateExperimentRequest{Namespace: "default", Name: "asked", Note: new("ended")}); err != nil {
		t.Fatal(err)
	}
	entry := r.do(t, http.MethodGet, r.link(t), "").Cookies()[0]
	page := string(r.do(t, http.MethodGet, "/", "", "Cookie", entry.Name+"="+entry.Value).body)
	if want := ">Succeeded (no trial has a finite value)<"; !strings.Contains(page, want) {
		t.Errorf("the page lacks %q:\n%s", want, page)
	}
}
