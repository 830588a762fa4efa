//go:build race

package life

// The race detector makes each life several times as long, and finds in a few
// what it finds in many.
func init() { usualCount = 6 }
