package console

// place is one entry of the navigation.
type place struct {
	Name, Path, Text string
	// Means says what is there, on the page that lists the others.
	Means string
	// Key is its access key, pressed with the browser's own modifier.
	Key string
	// Tab: it has a place in a phone's bar too.
	Tab bool
}

// places are in the order of how often they are needed; the ones under a thumb first.
var places = []place{
	{Name: "queue", Path: "/", Text: "Queue", Key: "q", Tab: true},
	{Name: "lookup", Path: "/lookup", Text: "Look up", Key: "l", Tab: true},
	{Name: "tickets", Path: "/tickets", Text: "Tickets", Key: "t", Tab: true},
	{Name: "integrity", Path: "/integrity", Text: "Integrity", Key: "i", Tab: true},
	{Name: "events", Path: "/events", Text: "Events", Means: "Webhook events for nobody, failed ones, and how events found their person"},
	{Name: "runs", Path: "/runs", Text: "Runs", Means: "What the sweep found and made good; start one"},
	{Name: "hooks", Path: "/hooks", Text: "Hooks", Means: "What your own app was told of access, and did not take; send it again"},
	{Name: "incidents", Path: "/incidents", Text: "Incidents", Means: "What the team was told of; say that you have it, or keep it quiet"},
	{Name: "audit", Path: "/audit", Text: "Audit", Means: "Who did what, when and why"},
	{Name: "charging", Path: "/charging", Text: "Charging", Means: "Whether new charges are taken"},
	{Name: "more", Path: "/more", Text: "More", Tab: true},
}
