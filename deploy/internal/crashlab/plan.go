package crashlab

import (
	"context"
	"math/rand/v2"
	"slices"
)

// How many customers go side by side, and how many of them are held where one
// service is killed: a held session is one less for the others.
const (
	abreast   = 16
	heldMost  = 8
	triesMost = 4
	// crowded is how often a fault is tried among others; then it has a wave for itself,
	// since a kill beside it may have taken its point away.
	crowded = 2
)

// How many kinds of faults strike a point.
const (
	everyKind = iota
	some      // a kill, and one other
	one       // any
)

// shotsAt chooses the faults for a point: all, two of them by the seed, or, where the
// same is written on several paths, one.
func shotsAt(p point, many int, random *rand.Rand) (all []*shot) {
	kinds := slices.Clone(p.faults())
	if many != everyKind {
		random.Shuffle(len(kinds), func(i, j int) { kinds[i], kinds[j] = kinds[j], kinds[i] })
	}
	switch many {
	case some:
		kill := slices.IndexFunc(kinds, kind.kills)
		other := slices.IndexFunc(kinds, func(k kind) bool { return !k.kills() })
		kinds = []kind{kinds[kill], kinds[other]}
	case one:
		kinds = kinds[:1]
	}
	for _, k := range kinds {
		all = append(all, &shot{point: p, kind: k})
	}
	return all
}

// shoot fires all shots, wave by wave, and returns those whose point could not be
// hit in several tries. A point that not every recording passed, because two things
// shared a transaction by chance, is kept apart.
func (g *stage) shoot(ctx context.Context, queue []*shot) (missed []*shot, err error) {
	for len(queue) > 0 {
		var now, later []*shot
		killed, held := "", 0
		for _, s := range queue {
			kills := s.kind.kills()
			switch {
			case len(now) > 0 && (s.tries >= crowded || now[0].tries >= crowded), len(now) >= abreast, kills && killed != "" && killed != s.point.service, kills && held >= heldMost,
				s.point.path == background && slices.ContainsFunc(now, func(o *shot) bool { return o.point == s.point }):
				later = append(later, s)
				continue
			case kills:
				killed, held = s.point.service, held+1
			}
			now = append(now, s)
		}
		g.out.at(len(queue))
		var all []*result
		var loose []*shot
		for i, tried := range now {
			s := &shot{point: tried.point, kind: tried.kind, tries: tried.tries + 1}
			now[i] = s
			if s.point.path == background {
				loose = append(loose, s)
				continue
			}
			s.run = g.newRun(s.point.path)
			all = append(all, &result{run: s.run, shot: s})
		}
		if len(all) == 0 { // somebody must see that nothing is broken
			all = append(all, &result{run: g.newRun(g.paths[0])})
		}
		if err := g.wave(ctx, all, loose, restSoon); err != nil {
			return nil, err
		}
		g.loose = append(g.loose, hits(loose)...)
		queue = later
		for _, s := range now {
			switch {
			case s.hit:
			case s.tries >= 2 && g.lab.found[s.point] < recordings:
				g.chance = append(g.chance, s)
			case s.tries >= triesMost:
				missed = append(missed, s)
			default:
				queue = append(queue, s)
			}
		}
	}
	if missed, err = g.again(ctx, missed); err != nil {
		return nil, err
	}
	return missed, g.judge(ctx, restMost)
}

// again goes the paths of what was missed undisturbed once more, one customer after the
// other, as those went who were to meet it in the end. What not each of them passes now,
// everybody passed while recording because of the others on the way or of a busy machine:
// which events share a statement, whether a look comes before an event. That is by
// chance, too.
func (g *stage) again(ctx context.Context, missed []*shot) (still []*shot, err error) {
	before, gone := g.lab.passed(), map[string]bool{}
	for _, s := range missed {
		path := s.point.path
		if path == background { // it has no path of its own, and happens beside any
			path = g.paths[0]
		}
		if gone[path] {
			continue
		}
		gone[path] = true
		for range recordings {
			if err := g.undisturbed(ctx, []*result{{run: g.newRun(path)}}); err != nil {
				return nil, err
			}
		}
	}
	still, chance := whoPassed(missed, before, g.lab.passed())
	g.chance = append(g.chance, chance...)
	return still, nil
}

// whoPassed tells faults whose point everybody passed again from those whose not.
func whoPassed(missed []*shot, before, after map[point]int) (still, chance []*shot) {
	for _, s := range missed {
		if after[s.point]-before[s.point] >= recordings {
			still = append(still, s)
		} else {
			chance = append(chance, s)
		}
	}
	return still, chance
}

func hits(shots []*shot) (hit []*shot) {
	for _, s := range shots {
		if s.hit {
			hit = append(hit, s)
		}
	}
	return hit
}
