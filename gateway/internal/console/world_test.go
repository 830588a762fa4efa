package console_test

import (
	"fmt"
	"time"

	"google.golang.org/protobuf/types/known/timestamppb"

	notificationsv1 "makegood.example/proto/gen/notifications/v1"
	ordersv1 "makegood.example/proto/gen/orders/v1"
	paymentsv1 "makegood.example/proto/gen/payments/v1"
	provisioningv1 "makegood.example/proto/gen/provisioning/v1"
	reconciliationv1 "makegood.example/proto/gen/reconciliation/v1"
)

const (
	orderID  = "5f0c1c1e-7d8e-4c7b-9d7e-0d8a5a6f1111"
	chargeID = "ch_3PExample0Stranded"
)

func ago(d time.Duration) *timestamppb.Timestamp { return timestamppb.New(night.Add(-d)) }

// stranded is the case of the night: somebody paid and has nothing.
func stranded() *reconciliationv1.Case {
	return &reconciliationv1.Case{
		Id: 41, Kind: reconciliationv1.Case_STUCK_ORDER, State: reconciliationv1.Case_OPEN, Subject: "order/" + orderID,
		Summary:  "order 5F0C1C1E of $249.00 is paid since 01:20 and has no access: Provisioning answers INTERNAL to every look",
		OpenedAt: ago(49 * time.Minute), WaitingSince: ago(54 * time.Minute), ReportedCount: 3, Version: 3, LastReportedAt: ago(2 * time.Minute),
		Events: []*reconciliationv1.CaseEvent{
			{What: "opened", Actor: "system", At: ago(49 * time.Minute)},
			{What: "reported", Actor: "system", Note: "the third look failed too", At: ago(2 * time.Minute)},
		},
	}
}

func someCases() []*reconciliationv1.Case {
	return []*reconciliationv1.Case{
		stranded(),
		{
			Id: 38, Kind: reconciliationv1.Case_DUPLICATE_CHARGE, State: reconciliationv1.Case_OPEN, Subject: "order/6a0c1c1e-7d8e-4c7b-9d7e-0d8a5a6f2222",
			Summary:  "charge ch_3PSecond of $249.00 is a second payment for what ch_3PFirst of $249.00 bought four minutes before",
			OpenedAt: ago(7 * time.Hour), WaitingSince: ago(8 * time.Hour), ReportedCount: 1, LastReportedAt: ago(7 * time.Hour), ClaimedBy: "alex", ClaimedAt: ago(6 * time.Hour),
		},
		{
			Id: 36, Kind: reconciliationv1.Case_DISPUTE, State: reconciliationv1.Case_OPEN, Subject: "charge/ch_3PDisputed", Summary: "charge ch_3PDisputed of $249.00 is disputed (product_not_received); Stripe wants an answer by 29 November",
			OpenedAt: ago(30 * time.Hour), ReportedCount: 1, LastReportedAt: ago(30 * time.Hour), SnoozedUntil: timestamppb.New(night.Add(9 * time.Hour)),
		},
	}
}

func someRuns() []*reconciliationv1.Run {
	return []*reconciliationv1.Run{
		{Id: 512, Status: reconciliationv1.Run_SUCCEEDED, StartedAt: ago(100 * time.Second), FinishedAt: ago(98 * time.Second), DurationMs: 1840, ChargesChecked: 214, StuckFound: 1, OrphansFound: 2, OrphansRecovered: 2, Details: []string{
			"order 5f0c1c1e-7d8e-4c7b-9d7e-0d8a5a6f1111: CHARGED for 54 minutes, advanced: still CHARGED (access could not be granted)",
			"charge ch_3PLost: ours without an order, adopted as 77AA01BC",
		}},
		{Id: 511, Status: reconciliationv1.Run_FAILED, StartedAt: ago(220 * time.Second), FinishedAt: ago(190 * time.Second), DurationMs: 30000, ChargesChecked: 100, Errors: 1, Details: []string{"page 2 of Stripe's charges could not be read: STRIPE_UNREACHABLE"}},
		{Id: 510, Status: reconciliationv1.Run_SUCCEEDED, StartedAt: ago(340 * time.Second), FinishedAt: ago(338 * time.Second), DurationMs: 1700, ChargesChecked: 214, DryRun: true},
	}
}

func aReport() *reconciliationv1.IntegrityReport {
	sum := func(d reconciliationv1.Disposition_Kind, n, refunded int64) *reconciliationv1.DispositionSum {
		return &reconciliationv1.DispositionSum{Disposition: d, Currency: "USD", ChargeCount: n, AmountMinor: n * 24900, RefundedMinor: refunded}
	}
	return &reconciliationv1.IntegrityReport{
		MadeAt: timestamppb.New(night), Complete: true,
		Charges: []*reconciliationv1.DispositionSum{
			sum(reconciliationv1.Disposition_FOREIGN, 12, 0), sum(reconciliationv1.Disposition_REFUNDED, 9, 9*24900),
			sum(reconciliationv1.Disposition_RECOVERED, 17, 0), sum(reconciliationv1.Disposition_MATCHED, 2310, 5000), sum(reconciliationv1.Disposition_OPEN, 1, 0),
			sum(reconciliationv1.Disposition_QUARANTINED, 1, 0),
		},
		Balance: []*reconciliationv1.BalanceSum{
			{Category: "charges", Type: "charge", Currency: "USD", TransactionCount: 2349, AmountMinor: 58490100, FeeMinor: 1766763, NetMinor: 56723337},
			{Category: "refunds", Type: "refund", Currency: "USD", TransactionCount: 10, AmountMinor: -229100, NetMinor: -229100},
		},
		Decided: []*reconciliationv1.DecidedCharge{{
			ChargeId: chargeID, KeptMinor: 24900, Currency: "USD", ChargedAt: ago(72 * time.Hour), CaseId: 12,
			DecidedBy: "sam", Decision: "A donation, she says", DecidedAt: ago(48 * time.Hour),
		}},
		DecidedCount:   1,
		OldestUnserved: &reconciliationv1.OldestUnserved{OrderId: orderID, ChargeId: chargeID, ChargedAt: ago(54 * time.Minute)},
		ChargeToAccess: &reconciliationv1.ServiceTime{OrderCount: 2327, MeanMs: 840, P95Ms: 1900, P99Ms: 8700},
		CompletedBy: []*reconciliationv1.CompletedBy{
			{OrderCount: 2310}, {RecoveredBy: "rescue", OrderCount: 12}, {RecoveredBy: "webhook", OrderCount: 4}, {RecoveredBy: "support", OrderCount: 1},
		},
	}
}

func someDays() *reconciliationv1.CountChargesByDayResponse {
	out := &reconciliationv1.CountChargesByDayResponse{}
	for i := range 30 {
		day := &reconciliationv1.ChargeDay{Date: night.AddDate(0, 0, i-29).Format(time.DateOnly)}
		count := func(d reconciliationv1.Disposition_Kind, n int64) {
			day.Counts = append(day.Counts, &reconciliationv1.ChargeDayCount{Disposition: d, ChargeCount: n})
		}
		count(reconciliationv1.Disposition_MATCHED, 55+int64(i*37%48))
		if i%4 == 1 {
			count(reconciliationv1.Disposition_RECOVERED, int64(i%7)+1)
		}
		if i%6 == 2 {
			count(reconciliationv1.Disposition_REFUNDED, 3)
		}
		if i == 29 {
			count(reconciliationv1.Disposition_OPEN, 1)
		}
		count(reconciliationv1.Disposition_FOREIGN, 2)
		out.Days = append(out.Days, day)
	}
	return out
}

func someEvents() []*paymentsv1.WebhookEvent {
	return []*paymentsv1.WebhookEvent{
		{StripeEventId: "evt_1ForNobody", Type: "charge.succeeded", Livemode: true, ApiVersion: "2023-10-16", Status: paymentsv1.WebhookEvent_ORPHANED, AttemptCount: 2, RetryCount: 7, LastError: "nobody was found whom it is for: customer cus_Stranger is unknown here", CustomerId: "cus_Stranger", CustomerEmail: "jane@example.com", ReceivedAt: ago(3 * time.Hour), ProcessedAt: ago(3 * time.Hour)},
		{StripeEventId: "evt_2Test", Type: "invoice.paid", ApiVersion: "2023-10-16", Status: paymentsv1.WebhookEvent_ORPHANED, AttemptCount: 1, LastError: "nobody was found whom it is for", ReceivedAt: ago(50 * time.Hour), ProcessedAt: ago(50 * time.Hour)},
	}
}

func someMethods() *paymentsv1.CountResolutionMethodsResponse {
	out := &paymentsv1.CountResolutionMethodsResponse{}
	for i, m := range []string{"metadata", "payment_intent", "client_reference_id", "customer_id"} {
		out.Methods = append(out.Methods, &paymentsv1.ResolutionMethodCount{ResolutionMethod: m, Status: paymentsv1.WebhookEvent_PROCESSED, EventCount: int64(4200 / (i*3 + 1))})
	}
	return &paymentsv1.CountResolutionMethodsResponse{Methods: append(out.Methods, &paymentsv1.ResolutionMethodCount{Status: paymentsv1.WebhookEvent_ORPHANED, EventCount: 14})}
}

// night fills the peers with what there is on a bad night.
func (d *desk) badNight() {
	s := &d.peers.Script
	s.Say("ListCases", &reconciliationv1.ListCasesResponse{Cases: someCases(), NextPageToken: "more"}, nil)
	s.Say("GetCase", stranded(), nil)
	s.Say("ListRuns", &reconciliationv1.ListRunsResponse{Runs: someRuns(), NextPageToken: "older"}, nil)
	s.Say("GetCharging", &ordersv1.GetChargingResponse{Paused: true, Actor: "ada", Reason: "card testing from one network", At: ago(20 * time.Minute)}, nil)
	s.Say("GetIntegrityReport", aReport(), nil)
	s.Say("CountChargesByDay", someDays(), nil)
	s.Say("ListWebhookEvents", &paymentsv1.ListWebhookEventsResponse{Events: someEvents(), NextPageToken: "more"}, nil)
	s.Say("CountResolutionMethods", someMethods(), nil)
	s.Say("LookupCustomer", aPerson(), nil)
	s.Say("Recover", wouldRecover(), nil)
	s.Say("Refund", &reconciliationv1.ActionResponse{Done: true, Steps: []*reconciliationv1.Step{{What: "refund $249.00 of charge " + chargeID, Outcome: reconciliationv1.Step_WOULD_DO}, {What: "withdraw the access of order 5F0C1C1E", Outcome: reconciliationv1.Step_WOULD_DO}}}, nil)
	s.Say("Reply", &reconciliationv1.ReplyResponse{To: "jane@example.com", Subject: "Re: I paid and have nothing", Text: "Hello Jane,\n\nyou paid, and our system stopped before it could give you access. That was our fault, and it gave you a fright. It works now.\n\nSam"}, nil)
	s.Say("ListTickets", &reconciliationv1.ListTicketsResponse{Tickets: someTickets(), NextPageToken: "more"}, nil)
	s.Say("ListIncidents", &notificationsv1.ListIncidentsResponse{Incidents: someIncidents(), NextPageToken: "older"}, nil)
	s.Say("ListAudit", &reconciliationv1.ListAuditResponse{Entries: someAudit(), NextPageToken: "older"}, nil)
	s.Say("ListHooks", untakenHooks(), nil)
	s.Say("SendHooksAgain", wouldSendAgain(), nil)
	d.peers.Reconciliation.Watch = func(r *reconciliationv1.WatchRunRequest, send func(*reconciliationv1.Run) error) error {
		for i := range 3 {
			if err := send(&reconciliationv1.Run{Id: 513, Status: reconciliationv1.Run_RUNNING, StartedAt: ago(time.Second), DryRun: r.GetDryRun(), ChargesChecked: int32(i * 100)}); err != nil {
				return err
			}
		}
		return send(&reconciliationv1.Run{Id: 513, Status: reconciliationv1.Run_SUCCEEDED, DryRun: r.GetDryRun(), StartedAt: ago(time.Second), FinishedAt: timestamppb.New(night), DurationMs: 1200, ChargesChecked: 214, Details: []string{fmt.Sprintf("order %s: advanced, COMPLETE", orderID)}})
	}
}

// quiet is a night on which nothing happened.
func (d *desk) quiet() {
	s := &d.peers.Script
	s.Say("ListCases", &reconciliationv1.ListCasesResponse{}, nil)
	s.Say("ListRuns", &reconciliationv1.ListRunsResponse{}, nil)
	s.Say("GetCharging", &ordersv1.GetChargingResponse{}, nil)
	s.Say("GetIntegrityReport", &reconciliationv1.IntegrityReport{MadeAt: timestamppb.New(night), Complete: true}, nil)
	s.Say("CountChargesByDay", &reconciliationv1.CountChargesByDayResponse{}, nil)
	s.Say("ListWebhookEvents", &paymentsv1.ListWebhookEventsResponse{}, nil)
	s.Say("CountResolutionMethods", &paymentsv1.CountResolutionMethodsResponse{}, nil)
	s.Say("LookupCustomer", &reconciliationv1.LookupCustomerResponse{Candidates: []*reconciliationv1.Candidate{
		{OrderId: orderID, ReferenceShort: "5F0C1C1E", EmailMasked: "j***@example.com", AmountDisplay: "$249.00", CreatedAt: ago(time.Hour), Query: orderID},
		{ReferenceShort: "5F0C1C1E", EmailMasked: "s***@example.com", AmountDisplay: "$249.00", CreatedAt: ago(900 * time.Hour), Query: "sam@example.com"},
	}, StripeRead: true}, nil)
	s.Say("Recover", &reconciliationv1.ActionResponse{Done: true, Steps: []*reconciliationv1.Step{{What: "look at the money at Stripe", Outcome: reconciliationv1.Step_NOT_NEEDED, Note: "paid, as recorded"}, {What: "grant access", Outcome: reconciliationv1.Step_NOT_NEEDED, Note: "in force until 21 November 2027"}}}, nil)
	s.Say("ListTickets", &reconciliationv1.ListTicketsResponse{}, nil)
	s.Say("ListAudit", &reconciliationv1.ListAuditResponse{}, nil)
	s.Say("ListIncidents", &notificationsv1.ListIncidentsResponse{}, nil)
	s.Say("ListHooks", &provisioningv1.ListHooksResponse{}, nil)
	s.Say("SendHooksAgain", &reconciliationv1.ActionResponse{Done: true, Steps: []*reconciliationv1.Step{{What: "changes of access queued for the app again", Outcome: reconciliationv1.Step_NOT_NEEDED, Note: "there is none since 2026-11-21T01:20:00Z"}}}, nil)
}

// aPerson paid and has nothing.
func aPerson() *reconciliationv1.LookupCustomerResponse {
	order := &ordersv1.DescribeOrderResponse{
		Email: "jane@example.com", Name: "Jane Example", PlanName: "Annual", ChargeId: chargeID, PaymentIntentId: "pi_3PExample0Stranded",
		Order: &ordersv1.Order{Id: orderID, ReferenceShort: "5F0C1C1E", State: ordersv1.Order_CHARGED, AmountMinor: 24900, Currency: "USD", AmountDisplay: "$249.00", CreatedAt: ago(55 * time.Minute), ChargedAt: ago(54 * time.Minute)},
	}
	return &reconciliationv1.LookupCustomerResponse{
		Diagnosis:   reconciliationv1.Diagnosis_STUCK_ORDER,
		Explanation: "The customer paid the $249.00 of order 5F0C1C1E, and the order is still CHARGED: access is not there yet.",
		Recommendation: &reconciliationv1.Recommendation{
			Text: "Recover the order: access is granted, and the customer is told.", Rpc: "reconciliation.v1.SupportService/Recover",
			RequestJson: `{"order_id":"` + orderID + `","act":{"idempotency_key":"0d9a4c7e-7d8e-4c7b-9d7e-0d8a5a6f3333","reason":"paid, and no access"}}`,
			Grpcurl:     `grpcurl -plaintext -H "authorization: Bearer $ADMIN_TOKEN" -d '{"order_id":"` + orderID + `","act":{"idempotency_key":"0d9a4c7e-7d8e-4c7b-9d7e-0d8a5a6f3333","reason":"paid, and no access"}}' 127.0.0.1:9105 reconciliation.v1.SupportService/Recover`,
			Reply:       reconciliationv1.ReplyRequest_RECOVERY,
		},
		Timeline: []*reconciliationv1.TimelineEntry{
			{At: ago(55 * time.Minute), Source: "order", Text: "ordered Annual for $249.00", Subject: orderID},
			{At: ago(54 * time.Minute), Source: "stripe", Text: "charged $249.00", Subject: chargeID},
			{At: ago(54 * time.Minute), Source: "order", Text: "PENDING to CHARGED, by the webhook", Subject: orderID},
			{At: ago(52 * time.Minute), Source: "mail", Text: "mail STILL_WORKING was handed to the mail server", Subject: "order/" + orderID + "/still-working"},
			{At: ago(49 * time.Minute), Source: "case", Text: "case 41 was opened: stuck order", Subject: "case/41"},
			{At: ago(20 * time.Minute), Source: "ticket", Text: "wrote: I paid and have nothing", Subject: "ticket/7"},
			{At: ago(5 * time.Minute), Source: "support", Text: "a reply was sent", Subject: orderID, Actor: "alex"},
		},
		Orders: []*ordersv1.DescribeOrderResponse{order},
		Charges: []*paymentsv1.SeenCharge{
			{ChargeId: chargeID, Status: paymentsv1.SeenCharge_SUCCEEDED, Captured: true, AmountMinor: 24900, Currency: "USD", CreatedAt: ago(54 * time.Minute), Owner: paymentsv1.SeenCharge_OURS, OwnerReason: "its payment intent is saved here", OrderId: orderID},
			{ChargeId: "ch_3PNotOurs", Status: paymentsv1.SeenCharge_SUCCEEDED, Captured: true, AmountMinor: 1900, Currency: "USD", CreatedAt: ago(400 * time.Hour), Owner: paymentsv1.SeenCharge_FOREIGN, OwnerReason: "nothing says that it is ours"},
			{ChargeId: "ch_3PClaimed", Status: paymentsv1.SeenCharge_SUCCEEDED, Captured: true, AmountMinor: 24900, Currency: "USD", CreatedAt: ago(9000 * time.Hour), Owner: paymentsv1.SeenCharge_CLAIMED, OwnerReason: "the rule for product prod_old claims it"},
		},
		Cases: someCases()[:1], Tickets: someTickets()[:1], StripeRead: true,
	}
}

func wouldRecover() *reconciliationv1.ActionResponse {
	return &reconciliationv1.ActionResponse{Done: true, Steps: []*reconciliationv1.Step{
		{What: "look at the money at Stripe", Outcome: reconciliationv1.Step_NOT_NEEDED, Note: "$249.00 is paid, as recorded"},
		{What: "grant access for 12 months", Outcome: reconciliationv1.Step_WOULD_DO},
		{What: "queue the mail that says so", Outcome: reconciliationv1.Step_WOULD_DO},
	}}
}

func recovered() *reconciliationv1.ActionResponse {
	return &reconciliationv1.ActionResponse{
		Done: true, AuditId: 88, Order: &ordersv1.Order{Id: orderID, ReferenceShort: "5F0C1C1E", State: ordersv1.Order_RECOVERED, AccessUntil: timestamppb.New(night.AddDate(1, 0, 0))},
		Steps: []*reconciliationv1.Step{
			{What: "look at the money at Stripe", Outcome: reconciliationv1.Step_NOT_NEEDED, Note: "$249.00 is paid, as recorded"},
			{What: "grant access for 12 months", Outcome: reconciliationv1.Step_DONE}, {What: "queue the mail that says so", Outcome: reconciliationv1.Step_DONE},
		},
	}
}

func someTickets() []*reconciliationv1.Ticket {
	return []*reconciliationv1.Ticket{
		{Id: 7, Email: "jane@example.com", Subject: "I paid and have nothing", Description: "Hello,\n\nyou took $249 and I cannot log in. Please answer.\n\nJane", Category: reconciliationv1.Ticket_ACCESS, State: reconciliationv1.Ticket_OPEN, OpenedAt: ago(20 * time.Minute), OrderIds: []string{orderID}, ChargeIds: []string{chargeID}, Version: 1},
		{Id: 5, Email: "sam@example.com", Subject: "An invoice, please", Category: reconciliationv1.Ticket_BILLING, State: reconciliationv1.Ticket_IN_PROGRESS, OpenedAt: ago(30 * time.Hour), AssignedTo: "alex", Version: 3},
	}
}

func someAudit() []*reconciliationv1.AuditEntry {
	return []*reconciliationv1.AuditEntry{
		{Id: 88, At: ago(time.Minute), Actor: "sam", Role: "support", Action: "reconciliation.v1.SupportService/Recover", Subject: orderID, Reason: "paid, and no access", Outcome: reconciliationv1.AuditEntry_DONE, Steps: recovered().GetSteps(), BeforeJson: `{"state":"CHARGED"}`, AfterJson: `{"state":"RECOVERED"}`},
		{Id: 87, At: ago(40 * time.Minute), Actor: "alex", Role: "support", Action: "reconciliation.v1.SupportService/Refund", Subject: orderID, Reason: "asked for it", Outcome: reconciliationv1.AuditEntry_FAILED, Error: "REFUND_DISPUTED: a dispute is open"},
		{Id: 86, At: ago(50 * time.Minute), Actor: "alex", Role: "support", Action: "reconciliation.v1.SupportService/ResendMessage", Subject: orderID, Reason: "did not arrive", Outcome: reconciliationv1.AuditEntry_ASKED},
	}
}

func someIncidents() []*notificationsv1.Incident {
	return []*notificationsv1.Incident{
		{
			Id: 3, Key: "stuck-order", Tier: notificationsv1.Incident_PAGE_NOW, Title: "A customer paid and has no access", Meaning: "One order is paid and past what its buyer was promised.", NextStep: "Open the case and recover the order.",
			Count: 12, Items: []*notificationsv1.IncidentItem{{Text: "order 5F0C1C1E, $249.00, waits 54 min", Path: "/cases/41"}}, OpenedAt: ago(49 * time.Minute), ChangedAt: ago(2 * time.Minute),
			Events:   []*notificationsv1.IncidentEvent{{What: "opened", Actor: "system", At: ago(49 * time.Minute)}, {What: "worse", Actor: "system", Note: "12 cases", At: ago(2 * time.Minute)}},
			Channels: []*notificationsv1.IncidentChannel{{Channel: "slack", LastError: "channel_not_found"}, {Channel: "mail-1", ToldAt: ago(48 * time.Minute)}},
		},
		{Id: 2, Key: "dispute", Tier: notificationsv1.Incident_SAME_DAY, Title: "A dispute to answer", Count: 1, OpenedAt: ago(30 * time.Hour), AcknowledgedBy: "alex", AcknowledgedAt: ago(20 * time.Hour)},
		{Id: 1, Key: "stuck-order", Tier: notificationsv1.Incident_PAGE_NOW, Title: "A customer paid and has no access", Count: 1, OpenedAt: ago(300 * time.Hour), ResolvedAt: ago(299 * time.Hour)},
	}
}
