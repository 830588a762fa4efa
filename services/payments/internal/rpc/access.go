package rpc

import (
	paymentsv1 "makegood.example/proto/gen/payments/v1"
	personalv1 "makegood.example/proto/gen/personal/v1"
	"makegood.example/services/platform/access"
)

// Access says who may call what.
var Access = access.Table{
	paymentsv1.PaymentsService_Pay_FullMethodName:            {Callers: []string{"orders"}},
	paymentsv1.PaymentsService_LookAtPayment_FullMethodName:  {Callers: []string{"orders"}},
	paymentsv1.PaymentsService_CancelPayment_FullMethodName:  {Callers: []string{"orders"}},
	paymentsv1.PaymentsService_ReceiveWebhook_FullMethodName: {Callers: []string{"gateway"}},
	paymentsv1.PaymentsService_FileWebhooks_FullMethodName:   {Callers: []string{"gateway"}},

	paymentsv1.PaymentsAdminService_RefundPayment_FullMethodName:           {Callers: []string{"orders"}, Role: access.Support},
	paymentsv1.PaymentsAdminService_ListRefunds_FullMethodName:             {Callers: []string{"notifications", "reconciliation"}, Role: access.Viewer},
	paymentsv1.PaymentsAdminService_ListFollowed_FullMethodName:            {Callers: []string{"reconciliation"}},
	paymentsv1.PaymentsAdminService_ListCharges_FullMethodName:             {Callers: []string{"reconciliation"}},
	paymentsv1.PaymentsAdminService_FindCharges_FullMethodName:             {Callers: []string{"reconciliation"}},
	paymentsv1.PaymentsAdminService_MatchPayments_FullMethodName:           {Callers: []string{"reconciliation"}},
	paymentsv1.PaymentsAdminService_RestoreCharge_FullMethodName:           {Callers: []string{"reconciliation"}},
	paymentsv1.PaymentsAdminService_CatchUpEvents_FullMethodName:           {Callers: []string{"reconciliation"}},
	paymentsv1.PaymentsAdminService_FollowChanges_FullMethodName:           {Callers: []string{"reconciliation"}},
	paymentsv1.PaymentsAdminService_ListBalanceTransactions_FullMethodName: {Callers: []string{"reconciliation"}},

	paymentsv1.PaymentsAdminService_ListWebhookEvents_FullMethodName:      {Callers: []string{"reconciliation"}, Role: access.Viewer},
	paymentsv1.PaymentsAdminService_GetLedgerHealth_FullMethodName:        {Callers: []string{"reconciliation"}},
	paymentsv1.PaymentsAdminService_CountResolutionMethods_FullMethodName: {Role: access.Viewer},
	paymentsv1.PaymentsAdminService_LinkWebhookEvent_FullMethodName:       {Role: access.Support},
	paymentsv1.PaymentsAdminService_ReplayWebhookEvent_FullMethodName:     {Role: access.Support},
	paymentsv1.PaymentsAdminService_IgnoreWebhookEvent_FullMethodName:     {Role: access.Support},

	personalv1.PersonalDataService_ExportPerson_FullMethodName: {Callers: []string{"reconciliation"}},
	personalv1.PersonalDataService_ErasePerson_FullMethodName:  {Callers: []string{"reconciliation"}},
}
