package desk

import (
	"encoding/json"
	"fmt"
	"strings"
)

// Recommendation is what to do about a diagnosis, ready to be done.
type Recommendation struct {
	// Text is for the person who does it.
	Text string
	// RPC and RequestJSON are the exact call; both empty when none is needed.
	RPC, RequestJSON string
	// Reply is the template that fits; empty for none.
	Reply Template
}

// Template names a reply.
type Template string

// The replies.
const (
	ReplyRecovery      Template = "RECOVERY"
	ReplyResend        Template = "RESEND"
	ReplyRefundOffered Template = "REFUND_OFFERED"
	ReplyRefunded      Template = "REFUNDED"
	ReplyNotFound      Template = "NOT_FOUND"
	ReplyCheckSpam     Template = "CHECK_SPAM"
	ReplyDuplicate     Template = "DUPLICATE"
)

// The calls of the desk.
const desk = "reconciliation.v1.SupportService/"

// Recommend says what to do. key is a fresh idempotency key for the call.
func Recommend(d Diagnosis, key string) Recommendation {
	r := Recommendation{}
	call := func(rpc string, fields map[string]any, reason string) {
		fields["act"] = map[string]any{"idempotency_key": key, "reason": reason}
		b, err := json.Marshal(fields)
		if err != nil {
			panic(err) // maps of strings
		}
		r.RPC, r.RequestJSON = desk+rpc, string(b)
	}
	switch d.Kind {
	case StripeUnreachable:
		r.Text = "Promise nothing, and do not say that nothing was charged. Look again in a few minutes."
	case Disputed:
		r.Text = "Answer the dispute at Stripe by its date, with what the timeline shows. Do not refund: the bank has the money or will decide." + atStripe(d.ChargeID)
	case DuplicateCharge:
		r.Text, r.Reply = "Refund the second payment; the first and its access stay.", ReplyDuplicate
		call("Refund", map[string]any{"order_id": d.OrderID, "charge_id": d.ChargeID}, "paid twice for the same")
	case OrphanCharge:
		if d.Adopt {
			r.Text, r.Reply = "Adopt the charge: check the buyer's address, fill in the plan, and look at the dry run first.", ReplyRecovery
			call("AdoptCharge", map[string]any{"charge_id": d.ChargeID, "email": d.Email, "plan_id": ""}, "paid at the earlier checkout")
			break
		}
		r.Text, r.Reply = "Recover the charge: its order is made again, access is granted, and the customer is told.", ReplyRecovery
		call("Recover", map[string]any{"charge_id": d.ChargeID}, "paid, and the order is gone")
	case StuckOrder, PaidNoAccess:
		r.Text, r.Reply = "Recover the order: access is granted, and the customer is told.", ReplyRecovery
		call("Recover", map[string]any{"order_id": d.OrderID}, "paid, and no access")
	case PaymentPending:
		r.Text = "Wait. Tell the customer that it is being checked, by when we look again, and not to pay again meanwhile."
	case Refunded:
		r.Text, r.Reply = "Tell the customer Stripe's reference and how long banks take.", ReplyRefunded
	case OrderNoCharge:
		r.Text, r.Reply = "Ask for the bank statement's line: no money was taken for this order. Perhaps another order or another seller was meant.", ReplyNotFound
	case CompleteNoEmail:
		r.Text, r.Reply = "Send the confirmation again; check the address first, for a slip of the finger.", ReplyResend
		call("ResendMessage", map[string]any{"order_id": d.OrderID}, "the confirmation did not arrive")
	case AllGood:
		r.Text, r.Reply = "All is as it should be: the spam folder, the login with the right address, or a new password helps.", ReplyCheckSpam
	case NoChargeNoOrder:
		r.Text, r.Reply = "Ask for another address they may have used, the card's last four digits, the exact amount and the date. Perhaps it was another seller.", ReplyNotFound
	default:
		r.Text = "Look at the timeline, and at the case about it if there is one." + atStripe(d.ChargeID)
	}
	return r
}

// atStripe is where a charge is to be seen; Stripe shows it in the mode that it has.
func atStripe(chargeID string) string {
	if chargeID == "" {
		return ""
	}
	return " It is at https://dashboard.stripe.com/search?query=" + chargeID
}

// Shell is how people reach this service from a shell.
type Shell struct {
	Addr string
	// TLS: it is served with a certificate, whose authority is in $GRPC_TLS_DIR.
	TLS bool
}

// Grpcurl is the recommended call for a shell, in which $ADMIN_TOKEN is the caller's
// own; empty when nothing is to be called.
func (r Recommendation) Grpcurl(sh Shell) string {
	if r.RPC == "" {
		return ""
	}
	quoted := "'" + strings.ReplaceAll(r.RequestJSON, "'", `'\''`) + "'"
	transport := "-plaintext"
	if sh.TLS {
		transport = `-cacert "$GRPC_TLS_DIR/ca.pem"`
	}
	return fmt.Sprintf(`grpcurl %s -H "authorization: Bearer $ADMIN_TOKEN" -d %s %s %s`, transport, quoted, sh.Addr, r.RPC)
}
