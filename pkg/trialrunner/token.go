package trialrunner

import (
	"crypto/hmac"
	"crypto/sha256"
	"encoding/base64"
	"encoding/hex"
	"encoding/json"
	"strings"

	"github.com/tuned-hpo/tuned/pkg/experiment"
)

// Holder is whose a token is: one attempt of one trial.
type Holder struct {
	Namespace, Experiment string
	UID                   string // of the experiment
	Trial                 string // name
	Attempt               int
}

// Token returns what proves the right to speak for one attempt of one trial: who holds it, as base64 of JSON,
// a point, and the HMAC-SHA256 of that under the daemon's secret key, as hexadecimal text.
func Token(secret []byte, key experiment.Key, uid, trial string, attempt int) string {
	text, err := json.Marshal(Holder{key.Namespace, key.Name, uid, trial, attempt})
	if err != nil {
		panic(err) // texts and a number
	}
	holder := base64.RawURLEncoding.EncodeToString(text)
	return holder + "." + proof(secret, holder)
}

// HolderOf returns whose a token is. False means that it was not made with this secret.
func HolderOf(secret []byte, token string) (h Holder, ok bool) {
	holder, shown, _ := strings.Cut(token, ".")
	if !hmac.Equal([]byte(shown), []byte(proof(secret, holder))) {
		return Holder{}, false
	}
	text, err := base64.RawURLEncoding.DecodeString(holder)
	if err != nil || json.Unmarshal(text, &h) != nil {
		return Holder{}, false
	}
	return h, true
}

// Key is the experiment that the trial belongs to.
func (h Holder) Key() experiment.Key {
	return experiment.Key{Namespace: h.Namespace, Name: h.Experiment}
}

func proof(secret []byte, holder string) string {
	mac := hmac.New(sha256.New, secret)
	_, _ = mac.Write([]byte(holder)) // never fails, see hash.Hash
	return hex.EncodeToString(mac.Sum(nil))
}
