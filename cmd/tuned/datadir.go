package main

import (
	"crypto/rand"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
)

// dataDir is the folder that holds all state of one daemon.
type dataDir string

func (d dataDir) store() string  { return filepath.Join(string(d), "store") }
func (d dataDir) trials() string { return filepath.Join(string(d), "trials") }
func (d dataDir) log() string    { return filepath.Join(string(d), "tuned.log") }

// create makes the folder, for its owner alone.
func (d dataDir) create() error {
	if err := os.MkdirAll(string(d), 0o700); err != nil {
		return fmt.Errorf("create data directory: %w; give another --data-dir", err)
	}
	return nil
}

// maxSocketPath is the longest path of a unix socket in bytes that every system takes
// (sockaddr_un holds 104 bytes on macOS, 108 on Linux, the final 0 among them).
const maxSocketPath = 100

// socket returns the path of the daemon's socket, which depends on the folder alone, however it is
// spelled and whatever the environment is: inside the folder, or when that is too long in a folder
// of /tmp that is ours alone.
func (d dataDir) socket() (string, error) {
	real, err := filepath.EvalSymlinks(string(d))
	if err != nil {
		real = string(d) // not there yet: nobody knows it by another name
	}
	path := filepath.Join(real, "tuned.sock")
	if len(path) <= maxSocketPath {
		return path, nil
	}
	dir := "/tmp/tuned-" + strconv.Itoa(os.Getuid())
	if err := private(dir); err != nil {
		return "", err
	}
	sum := sha256.Sum256([]byte(real))
	return filepath.Join(dir, hex.EncodeToString(sum[:8])+".sock"), nil
}

// private makes a folder, or makes sure that nobody else may use the one that is there.
func private(dir string) error {
	if err := os.Mkdir(dir, 0o700); err != nil && !errors.Is(err, fs.ErrExist) {
		return fmt.Errorf("create folder of socket: %w", err)
	}
	info, err := os.Lstat(dir)
	if err != nil {
		return fmt.Errorf("look at folder of socket: %w", err)
	}
	owner, ok := info.Sys().(*syscall.Stat_t)
	if !info.IsDir() || info.Mode().Perm() != 0o700 || !ok || int(owner.Uid) != os.Getuid() {
		return fmt.Errorf("folder of socket %s is not a folder of ours with mode 0700; remove it or give a shorter --data-dir", dir)
	}
	return nil
}

// secretSize is the length of the key behind the agents' tokens in bytes.
const secretSize = 32

// secret returns the key, made at the first call.
func (d dataDir) secret() ([]byte, error) {
	path := filepath.Join(string(d), "secret")
	key, err := os.ReadFile(path)
	if err == nil && len(key) != secretSize {
		return nil, fmt.Errorf("secret key %s is %d bytes long, want %d; remove it while no trial runs", path, len(key), secretSize)
	}
	if err == nil || !errors.Is(err, fs.ErrNotExist) {
		return key, err
	}
	key = make([]byte, secretSize)
	_, _ = rand.Read(key) // never fails, see crypto/rand
	next := path + ".new"
	if err := os.WriteFile(next, key, 0o600); err != nil {
		return nil, fmt.Errorf("write secret key: %w", err)
	}
	return key, os.Rename(next, path)
}

// tokenFile is where the users' token lies unless the config says otherwise.
func (d dataDir) tokenFile() string { return filepath.Join(string(d), "token") }

// userToken returns the users' token, which lies in a file that is made at the first call.
func userToken(file string) (string, error) {
	text, err := os.ReadFile(file)
	if errors.Is(err, fs.ErrNotExist) {
		return newToken(file)
	}
	if err != nil {
		return "", fmt.Errorf("read token: %w", err)
	}
	info, err := os.Stat(file)
	if err != nil {
		return "", fmt.Errorf("read token: %w", err)
	}
	token := strings.TrimSpace(string(text))
	switch {
	case info.Mode().Perm()&0o077 != 0:
		return "", fmt.Errorf("token %s can be read by others (mode %#o); run chmod 600 on it, and remove it first if others may have read it", file, info.Mode().Perm())
	case len(token) < leastToken:
		return "", fmt.Errorf("token %s is %d characters long, want at least %d; remove it, and a new one is made", file, len(token), leastToken)
	}
	return token, nil
}

// leastToken is the length of the shortest token that is taken: 128 bits as hexadecimal text.
const leastToken = 32

// newToken makes a token of 256 random bits.
func newToken(file string) (string, error) {
	var bits [32]byte
	_, _ = rand.Read(bits[:]) // never fails, see crypto/rand
	token := hex.EncodeToString(bits[:])
	next := file + ".new"
	if err := os.WriteFile(next, []byte(token+"\n"), 0o600); err != nil {
		return "", fmt.Errorf("write token: %w", err)
	}
	if err := os.Rename(next, file); err != nil {
		return "", fmt.Errorf("write token: %w", err)
	}
	return token, nil
}
