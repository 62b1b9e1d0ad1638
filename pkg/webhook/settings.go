package webhook

import (
	"errors"
	"fmt"
	"os"
	"strings"

	"github.com/tuned-hpo/tuned/pkg/experiment"
)

// Settings are what the daemon's configuration says of webhooks, see Config.
type Settings struct {
	Hooks   []experiment.Webhook `json:"hooks,omitempty"`
	Secrets string               `json:"secrets,omitempty"`
	Allow   []string             `json:"allow,omitempty"`
	Source  string               `json:"source,omitempty"`
}

// Validate reports what cannot be.
func (s *Settings) Validate() error {
	var faults []error
	if found := experiment.CheckWebhooks("webhooks.hooks", s.Hooks, false); len(found) > 0 {
		faults = append(faults, found)
	}
	if _, err := newGuard(s.Allow, nil); err != nil {
		faults = append(faults, fmt.Errorf("webhooks: %w", err))
	}
	return errors.Join(faults...)
}

// TakeEnvironment removes the variables with secrets of webhooks from the environment of this process,
// so that no trial gets them, and returns what looks them up from now on. Others stay where they are.
func TakeEnvironment() (getenv func(string) string, err error) {
	taken := map[string]string{}
	for _, pair := range os.Environ() {
		name, value, _ := strings.Cut(pair, "=")
		if strings.HasPrefix(name, "TUNED_WEBHOOK_") {
			taken[name] = value
			if err := os.Unsetenv(name); err != nil {
				return nil, fmt.Errorf("take secrets of webhooks: %w", err)
			}
		}
	}
	return func(name string) string {
		if value, ok := taken[name]; ok {
			return value
		}
		return os.Getenv(name)
	}, nil
}
