package pg

import (
	"strings"
	"time"
	"unicode/utf8"
)

// TimeFits says whether a time that came from outside can be compared with a
// column's: the years of one to four digits, which PostgreSQL and JSON both know.
func TimeFits(t time.Time) bool { return t.Year() >= 1 && t.Year() <= 9999 }

// TextFits says whether a text that came from outside can be compared with a
// column's: PostgreSQL knows no zero byte, and UTF-8 only.
func TextFits(s string) bool { return utf8.ValidString(s) && strings.IndexByte(s, 0) < 0 }
