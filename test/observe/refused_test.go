package observe_test

import (
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

// TestWebhookThatRefuses: the experiment itself says that whom it tells takes no messages.
func TestWebhookThatRefuses(t *testing.T) {
	gone := httptest.NewServer(http.NotFoundHandler())
	t.Cleanup(gone.Close)
	dir, work := t.TempDir(), t.TempDir()
	config, file := filepath.Join(work, "config.yaml"), filepath.Join(work, "seen.yaml")
	own := manifest + "  tuned: {webhooks: [{url: " + gone.URL + "}]}\n"
	for name, text := range map[string]string{file: own, config: "webhooks: {allow: [127.0.0.1]}\n"} {
		if err := os.WriteFile(name, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	d := serve(t, dir, config)
	d.tuned("submit", file)
	want := "WebhookRefused (warning)  the webhook at 127.0.0.1 (own-"
	deadline := time.Now().Add(60 * time.Second)
	for said := ""; !strings.Contains(said, want); said = d.tuned("describe", "seen") {
		if time.Now().After(deadline) {
			t.Fatalf("describe never says %q:\n%s", want, said)
		}
	}
	d.End(os.Interrupt)
}
