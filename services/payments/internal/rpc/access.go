package rpc

import "makegood.example/services/platform/access"

// Access says who may call what.
var Access = access.Table{
	"/payments.v1.PaymentsService/Pay":            {Callers: []string{"orders"}},
	"/payments.v1.PaymentsService/LookAtPayment":  {Callers: []string{"orders"}},
	"/payments.v1.PaymentsService/CancelPayment":  {Callers: []string{"orders"}},
	"/payments.v1.PaymentsService/ReceiveWebhook": {Callers: []string{"gateway"}},
}
