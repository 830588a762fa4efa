package postgres

import "syscall"

// dieWithParent has the kernel shut the server down when its parent is gone,
// kill -9 included. SIGQUIT is its immediate and crash-safe way to end.
func dieWithParent(attr *syscall.SysProcAttr) { attr.Pdeathsig = syscall.SIGQUIT }
