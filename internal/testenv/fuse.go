package testenv

import (
	"encoding/binary"
	"errors"
	"fmt"
	"os"
	"testing"

	"golang.org/x/sys/unix"
)

// FUSE mounts an empty file system that this process serves, in which nothing can be made, and returns
// where. The test is skipped where that may not be done.
func FUSE(t testing.TB) (dir string) {
	t.Helper()
	dir = t.TempDir()
	device, err := unix.Open("/dev/fuse", unix.O_RDWR|unix.O_CLOEXEC, 0)
	if err != nil {
		Skip(t, "cannot open /dev/fuse: "+err.Error())
	}
	how := fmt.Sprintf("fd=%d,rootmode=40000,user_id=%d,group_id=%d", device, os.Getuid(), os.Getgid())
	if err := unix.Mount("test", dir, "fuse", unix.MS_NOSUID|unix.MS_NODEV, how); err != nil {
		unix.Close(device)
		Skip(t, "cannot mount FUSE: "+err.Error())
	}
	ended := make(chan struct{})
	go func() {
		defer close(ended)
		serveFUSE(device)
	}()
	t.Cleanup(func() {
		if err := unix.Unmount(dir, unix.MNT_DETACH); err != nil {
			t.Error(err)
		}
		<-ended
		unix.Close(device)
	})
	return dir
}

// serveFUSE answers the kernel, see include/uapi/linux/fuse.h, until the file system is unmounted. There is
// a root directory with nothing in it, and nothing can be made there.
func serveFUSE(device int) {
	request := make([]byte, 1<<17)
	for {
		n, err := unix.Read(device, request)
		if errors.Is(err, unix.EINTR) || errors.Is(err, unix.ENOENT) {
			continue
		}
		if err != nil || n < 40 {
			return
		}
		if answer := answerFUSE(request[:n]); answer != nil {
			if _, err := unix.Write(device, answer); err != nil && !errors.Is(err, unix.ENOENT) {
				return
			}
		}
	}
}

// answerFUSE answers one request, whose header is length, operation, unique number and more.
func answerFUSE(request []byte) []byte {
	const lookup, forget, getattr, statfs, initialize, forgetBatch = 1, 2, 3, 17, 26, 42
	var body []byte
	failure := unix.ENOSYS
	switch binary.NativeEndian.Uint32(request[4:]) {
	case forget, forgetBatch:
		return nil
	case lookup:
		failure = unix.ENOENT
	case initialize:
		body = make([]byte, 64)
		binary.NativeEndian.PutUint32(body, 7)           // major version
		binary.NativeEndian.PutUint32(body[4:], 31)      // minor version
		binary.NativeEndian.PutUint32(body[20:], 64<<10) // largest write
	case getattr:
		body = make([]byte, 104)
		binary.NativeEndian.PutUint64(body[16:], 1)                  // inode
		binary.NativeEndian.PutUint32(body[76:], unix.S_IFDIR|0o700) // mode
		binary.NativeEndian.PutUint32(body[80:], 2)                  // links
		binary.NativeEndian.PutUint32(body[84:], uint32(os.Getuid()))
		binary.NativeEndian.PutUint32(body[88:], uint32(os.Getgid()))
	case statfs:
		body = make([]byte, 80)
		for at := 0; at < 40; at += 8 { // blocks and files, in all and free
			binary.NativeEndian.PutUint64(body[at:], 1<<30)
		}
		binary.NativeEndian.PutUint32(body[40:], 4096) // bytes of a block
	}
	answer := make([]byte, 16, 16+len(body))
	if body == nil {
		binary.NativeEndian.PutUint32(answer[4:], uint32(-int32(failure)))
	}
	answer = append(answer, body...)
	binary.NativeEndian.PutUint32(answer, uint32(len(answer)))
	copy(answer[8:], request[8:16])
	return answer
}
