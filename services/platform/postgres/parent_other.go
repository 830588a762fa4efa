//go:build !linux

package postgres

import "syscall"

// dieWithParent does nothing here: only Linux offers it. A server that outlives
// a killed parent has to be ended by hand; Prepare names its process.
func dieWithParent(*syscall.SysProcAttr) {}
