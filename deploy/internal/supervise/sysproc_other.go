//go:build !linux

package supervise

import "syscall"

// detach puts a child in a process group of its own, so that Ctrl-C in the
// terminal reaches only the supervisor, which stops the children in order. Only
// Linux can also tie a child's life to its parent's.
func detach(attr *syscall.SysProcAttr) { attr.Setpgid = true }
