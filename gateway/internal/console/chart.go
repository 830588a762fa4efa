package console

import (
	"fmt"
	"strconv"
	"time"

	reconciliationv1 "makegood.example/proto/gen/reconciliation/v1"
)

// chartDays is how many days the picture shows.
const chartDays = 30

// The picture's measures, in its own units; the page scales it.
const (
	chartWidth, chartHeight    = 720, 240
	chartLeft, chartFoot       = 56, 34
	chartTop, chartGap, barEnd = 22, 3, 2
)

// bands are what the picture tells apart, from the bottom up. Four can be told
// apart at night; the table beside the picture has every disposition.
var bands = []struct {
	Class, Text string
	Of          []reconciliationv1.Disposition_Kind
}{
	{"served", "Access in time", []reconciliationv1.Disposition_Kind{reconciliationv1.Disposition_MATCHED}},
	{"recovered", "Access, made good", []reconciliationv1.Disposition_Kind{reconciliationv1.Disposition_RECOVERED}},
	{"back", "Money went back", []reconciliationv1.Disposition_Kind{reconciliationv1.Disposition_REFUNDED}},
	{"open", "Needs something", []reconciliationv1.Disposition_Kind{reconciliationv1.Disposition_OPEN, reconciliationv1.Disposition_QUARANTINED, reconciliationv1.Disposition_DUPLICATE}},
}

// chart is the picture of the last days and the table that says the same.
type chart struct {
	Width, Height, Left, Base int
	Bars                      []bar
	Lines                     []gridLine
	Marks                     []mark
	Days                      []chartDay
	Bands                     any
	Total                     int64
	Says                      string
}

type bar struct {
	Class               string
	X, Y, Width, Height float64
}

type gridLine struct {
	Y    float64
	Text string
}

type mark struct {
	X      float64
	Text   string
	Anchor string
}

// chartDay is one row of the table: the count of each band.
type chartDay struct {
	Date    string
	Counts  []int64
	Total   int64
	Foreign int64
}

// newChart draws the days up to today. What is foreign is not ours and not in the
// picture; the table counts it.
func newChart(days []*reconciliationv1.ChargeDay, now time.Time) chart {
	byDate := map[string]map[reconciliationv1.Disposition_Kind]int64{}
	for _, d := range days {
		byDate[d.GetDate()] = map[reconciliationv1.Disposition_Kind]int64{}
		for _, n := range d.GetCounts() {
			byDate[d.GetDate()][n.GetDisposition()] += n.GetChargeCount()
		}
	}
	c := chart{Width: chartWidth, Height: chartHeight, Left: chartLeft, Base: chartHeight - chartFoot, Bands: bands}
	var most, open int64
	first := now.UTC().AddDate(0, 0, 1-chartDays)
	for i := range chartDays {
		at := first.AddDate(0, 0, i)
		day := chartDay{Date: at.Format(time.DateOnly), Counts: make([]int64, len(bands))}
		for b, band := range bands {
			for _, kind := range band.Of {
				day.Counts[b] += byDate[day.Date][kind]
			}
			day.Total += day.Counts[b]
		}
		day.Foreign = byDate[day.Date][reconciliationv1.Disposition_FOREIGN]
		most, open, c.Total = max(most, day.Total), open+day.Counts[len(bands)-1], c.Total+day.Total
		c.Days = append(c.Days, day)
	}
	top := niceTop(most)
	room := float64(c.Base - chartTop)
	step := float64(chartWidth-chartLeft) / chartDays
	for _, part := range []int64{0, top / 2, top} {
		c.Lines = append(c.Lines, gridLine{Y: float64(c.Base) - room*float64(part)/float64(top), Text: strconv.FormatInt(part, 10)})
	}
	for i, day := range c.Days {
		x, y := chartLeft+step*float64(i), float64(c.Base)
		for b, n := range day.Counts {
			if n == 0 {
				continue
			}
			// One charge among thousands must be seen when it needs something.
			height := max(barEnd, room*float64(n)/float64(top))
			y -= height
			c.Bars = append(c.Bars, bar{bands[b].Class, x + chartGap/2, max(0, y), step - chartGap, height})
		}
		if i%7 == chartDays%7-1 || i == chartDays-1 {
			at, _ := time.Parse(time.DateOnly, day.Date)
			m := mark{x + step/2, at.Format("2 Jan"), "middle"}
			if i == chartDays-1 {
				m.X, m.Anchor = chartWidth, "end" // or it would stick out
			}
			c.Marks = append(c.Marks, m)
		}
	}
	if c.Total == 0 {
		c.Says = fmt.Sprintf("The runs have kept no charge of ours of the last %d days.", chartDays)
		return c
	}
	c.Says = fmt.Sprintf("%s of ours in %d days, the most on one day %d; %d need something.", plural(c.Total, "charge", "charges"), chartDays, most, open)
	return c
}

// niceTop is the even, round number at the top of the picture.
func niceTop(most int64) int64 {
	for unit := int64(1); ; unit *= 10 {
		for _, n := range []int64{2, 4, 6, 8, 10, 12, 16} {
			if n*unit >= most {
				return n * unit
			}
		}
	}
}
