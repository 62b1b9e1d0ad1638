package server_test

import (
	"net/http"
	"strings"
	"testing"
)

// TestHome follows the link that a person opens: the token becomes a cookie, and the page lists what there is.
func TestHome(t *testing.T) {
	r := newRig(t, 7)
	if err := r.tell(t.Context(), r.ask(t, 1, "").GetTrials()[0].GetName(), "0.5"); err != nil {
		t.Fatal(err)
	}
	entry := r.do(t, http.MethodGet, "/?token="+userToken, "")
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
		`<a href="/api/v1/namespaces/default/experiments/asked">default/asked</a>`, ">Running<", ">1 of 7<", "=0.5<",
		`href="/openapi.json"`, `href="/metrics"`, "A web interface is not part of this build",
	} {
		if !strings.Contains(string(page.body), want) {
			t.Errorf("the page lacks %q:\n%s", want, page.body)
		}
	}
	if strings.Contains(string(page.body), "<script") || strings.Contains(string(page.body), "style") {
		t.Errorf("the page has what its headers forbid:\n%s", page.body)
	}
	if got := r.do(t, http.MethodGet, "/", ""); got.StatusCode != http.StatusUnauthorized {
		t.Errorf("without a token: got %s", got.Status)
	}
}
