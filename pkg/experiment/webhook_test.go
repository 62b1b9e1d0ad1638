package experiment

import (
	"fmt"
	"strings"
	"testing"
)

func TestKinds(t *testing.T) {
	tests := []struct {
		event Event
		want  EventKind
	}{
		{Event{Reason: "ExperimentCreated"}, EventCreated},
		{Event{Reason: "ExperimentMaxTrialsReached"}, EventSucceeded},
		{Event{Reason: "ExperimentGoalReached"}, EventSucceeded},
		{Event{Reason: "ExperimentFailed", Warning: true}, EventFailed},
		{Event{Reason: "SuggestionFailed", Warning: true}, EventFailed},
		{Event{Reason: ReasonWebhookRefused, Warning: true}, ""},
		{Event{Reason: ReasonWebhookRecovered}, ""},
		{Event{Reason: "ExperimentStopped"}, EventStopped},
		{Event{Reason: "BudgetChanged"}, ""},
		{Event{Reason: "TrialSucceeded", Trial: "t"}, ""},
		{Event{Reason: "ExitCode", Trial: "t", Warning: true}, EventTrialFailed},
		{Event{Reason: "Lost", Trial: "t", Warning: true}, EventTrialFailed},
		{Event{Reason: "TrialLost", Trial: "t", Warning: true}, ""},
		{Event{Reason: "TrialRetried", Trial: "t", Warning: true}, ""},
		{Event{Reason: "TrialKilled", Trial: "t", Warning: true}, ""},
	}
	for _, tt := range tests {
		if got := tt.event.Kind(); got != tt.want {
			t.Errorf("%+v: got %q, want %q", tt.event, got, tt.want)
		}
	}
}

func TestWebhooksOfTheConfigurationNameAnything(t *testing.T) {
	hooks := []Webhook{{URLFile: "/etc/url", SecretFile: "/etc/key"}, {URL: "http://a", SecretEnv: "ANY"}}
	if faults := CheckWebhooks("hooks", hooks, false); len(faults) > 0 {
		t.Errorf("got %v", faults)
	}
	if faults := CheckWebhooks("hooks", hooks, true); len(faults) != 3 {
		t.Errorf("of a spec: got %d faults, want 3: %v", len(faults), faults)
	}
}

func TestFaultsOfWebhooksShowNoSecret(t *testing.T) {
	for _, url := range []string{"https://a:canary@b", "https://[canary", "canary", "https://example.com/" + strings.Repeat("canary", 1000)} {
		faults := CheckWebhooks("hooks", []Webhook{{URL: url}}, true)
		if text := fmt.Sprint(faults); len(faults) != 1 || strings.Contains(text, "canary") {
			t.Errorf("%.40s: got %s", url, text)
		}
	}
}
