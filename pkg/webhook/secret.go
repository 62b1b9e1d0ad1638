package webhook

import (
	"crypto/hmac"
	"crypto/sha256"
	"encoding/base64"
	"errors"
	"fmt"
	"io"
	"net/url"
	"os"
	"strconv"
	"strings"

	"github.com/tuned-hpo/tuned/pkg/experiment"
)

// sign is the value of the header Webhook-Signature, as the convention of standardwebhooks.com has it.
func sign(key []byte, id string, timestamp int64, body []byte) string {
	mac := hmac.New(sha256.New, key)
	mac.Write([]byte(id + "." + strconv.FormatInt(timestamp, 10) + "."))
	mac.Write(body)
	return "v1," + base64.StdEncoding.EncodeToString(mac.Sum(nil))
}

// secrets returns where a webhook's messages go and the key that they are signed with, nil for none.
// They are looked up each time, so that a key can be exchanged while the daemon runs.
func (s *Sender) secrets(st *stream) (target *url.URL, key []byte, err error) {
	text := st.hook.URL
	if name := st.hook.URLFile; name != "" {
		content, err := s.readSecret(name, st.own)
		if err != nil {
			return nil, nil, fmt.Errorf("read urlFile: %w", err)
		}
		text = strings.TrimSpace(string(content))
	}
	if target, err = experiment.WebhookURL(text); err != nil {
		return nil, nil, fmt.Errorf("the URL %w", err)
	}
	switch {
	case st.hook.SecretFile != "":
		content, err := s.readSecret(st.hook.SecretFile, st.own)
		if err != nil {
			return nil, nil, fmt.Errorf("read secretFile: %w", err)
		}
		key, err = readKey(string(content))
		return target, key, err
	case st.hook.SecretEnv != "":
		if s.Getenv == nil {
			return nil, nil, errors.New("secretEnv: the daemon hands out no variables")
		}
		key, err = readKey(s.Getenv(st.hook.SecretEnv))
		return target, key, err
	}
	return target, nil, nil
}

// maxSecret bounds what is read of a file with a secret.
const maxSecret = 8 << 10 // bytes

// readSecret reads a file of the daemon's configuration, or one in the folder of secrets that an
// experiment names: it cannot name another one.
func (s *Sender) readSecret(name string, own bool) ([]byte, error) {
	if !own {
		return readFile(os.Open(name))
	}
	if s.Secrets == "" {
		return nil, errors.New("the daemon has no folder of secrets")
	}
	root, err := os.OpenRoot(s.Secrets)
	if err != nil {
		return nil, err
	}
	defer root.Close()
	return readFile(root.Open(name))
}

func readFile(file *os.File, err error) ([]byte, error) {
	if err != nil {
		return nil, err
	}
	defer file.Close()
	return io.ReadAll(io.LimitReader(file, maxSecret))
}

// readKey reads the key of signatures: base64 after the prefix whsec_, else the text itself without
// white space around it. An empty one would be known to everybody.
func readKey(text string) ([]byte, error) {
	text = strings.TrimSpace(text)
	key := []byte(text)
	if rest, encoded := strings.CutPrefix(text, "whsec_"); encoded {
		var err error
		if key, err = base64.StdEncoding.DecodeString(rest); err != nil {
			return nil, errors.New("the secret is no base64 after whsec_")
		}
	}
	if len(key) == 0 {
		return nil, errors.New("the secret is empty")
	}
	return key, nil
}
