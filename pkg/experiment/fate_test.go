package experiment

import "testing"

func TestFate(t *testing.T) {
	fails := func(name, message string) *Trial {
		return &Trial{Name: name, State: TrialFailed, Reason: "ExitCode", Message: message}
	}
	without := func(message string) *Trial {
		return &Trial{State: TrialMetricsUnavailable, Reason: "NoMetric", Message: message}
	}
	for _, tt := range []struct {
		name string
		a, b *Trial
		same bool
	}{
		{"another name", fails("a-1", "a-1 ended"), fails("a-2", "a-2 ended"), true},
		{"another number", fails("s-1", "lr 0.1 is bad"), fails("s-1", "lr 1e-05 is bad"), true},
		{"another address", fails("s-1", "fault at 0x7fa3"), fails("s-1", "fault at 0xbc10"), true},
		{"another cause", fails("s-1", "no memory"), fails("s-1", "no file"), false},
		{"another reason", fails("s-1", "x"), &Trial{Name: "s-1", State: TrialFailed, Reason: "Timeout", Message: "x"}, false},
		{"other lines without metrics", without(`line 1 "loss is low" looks close`), without(`line 9 "oops" looks close`), true},
		{"failed and without metrics", fails("s-1", ""), without(""), false},
	} {
		t.Run(tt.name, func(t *testing.T) {
			if got := tt.a.Fate() == tt.b.Fate(); got != tt.same {
				t.Errorf("%q and %q: the same %v, want %v", tt.a.Fate(), tt.b.Fate(), got, tt.same)
			}
		})
	}
}
