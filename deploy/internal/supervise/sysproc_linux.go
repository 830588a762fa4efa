package supervise

import "syscall"

// detach puts a child in a process group of its own, so that Ctrl-C in the
// terminal reaches only the supervisor, which stops the children in order; and
// ties its life to ours, so that kill -9 of the supervisor leaves nothing.
func detach(attr *syscall.SysProcAttr) {
	attr.Setpgid = true
	if attr.Pdeathsig == 0 { // the command may prefer a gentler end
		attr.Pdeathsig = syscall.SIGKILL
	}
}
