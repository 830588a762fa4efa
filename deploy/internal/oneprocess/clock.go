package oneprocess

import (
	"sync/atomic"
	"time"
)

// Clock is a time that only the test moves. Each reading is a microsecond later
// than the one before, so that what follows another is also dated later, as it
// is in the world.
type Clock struct{ micros atomic.Int64 }

// NewClock begins at a time.
func NewClock(begin time.Time) *Clock {
	c := &Clock{}
	c.micros.Store(begin.UnixMicro())
	return c
}

// Now is the time, in UTC.
func (c *Clock) Now() time.Time { return time.UnixMicro(c.micros.Add(1)).UTC() }

// set moves the clock; it never goes back.
func (c *Clock) set(to time.Time) {
	for {
		now := c.micros.Load()
		if to.UnixMicro() <= now || c.micros.CompareAndSwap(now, to.UnixMicro()) {
			return
		}
	}
}
