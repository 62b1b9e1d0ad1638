package trialrunner

import (
	"crypto/hmac"
	"crypto/sha256"
	"encoding/hex"
	"fmt"

	"github.com/tuned-hpo/tuned/pkg/experiment"
)

// Token returns what proves the right to report measurements for one attempt of one trial: an
// HMAC-SHA256 of its identity under the daemon's secret key, as hexadecimal text.
func Token(secret []byte, key experiment.Key, uid, trial string, attempt int) string {
	mac := hmac.New(sha256.New, secret)
	fmt.Fprintf(mac, "%q %q %q %q %d", key.Namespace, key.Name, uid, trial, attempt)
	return hex.EncodeToString(mac.Sum(nil))
}
