package rpc

import (
	ordersv1 "makegood.example/proto/gen/orders/v1"
	personalv1 "makegood.example/proto/gen/personal/v1"
	"makegood.example/services/platform/access"
)

// Access says who may call what.
var Access = access.Table{
	ordersv1.OrdersService_ListPlans_FullMethodName:    {Callers: []string{"gateway", "reconciliation"}, Role: access.Service},
	ordersv1.OrdersService_PlaceOrder_FullMethodName:   {Callers: []string{"gateway"}, Role: access.Service},
	ordersv1.OrdersService_PayOrder_FullMethodName:     {Callers: []string{"gateway"}, Role: access.Service},
	ordersv1.OrdersService_ConfirmOrder_FullMethodName: {Callers: []string{"gateway"}, Role: access.Service},
	ordersv1.OrdersService_RefundOrder_FullMethodName:  {Callers: []string{"gateway"}, Role: access.Service},
	ordersv1.OrdersService_GetOrder_FullMethodName:     {Callers: []string{"gateway"}, Role: access.Service},

	ordersv1.OrdersAdminService_AdvanceOrder_FullMethodName:       {Callers: []string{"payments", "reconciliation"}, Role: access.Support},
	ordersv1.OrdersAdminService_AdoptCharge_FullMethodName:        {Callers: []string{"payments", "reconciliation"}},
	ordersv1.OrdersAdminService_FollowSubscription_FullMethodName: {Callers: []string{"payments"}},
	ordersv1.OrdersAdminService_DescribeOrder_FullMethodName:      {Callers: []string{"notifications", "reconciliation"}, Role: access.Viewer},
	ordersv1.OrdersAdminService_FindOrders_FullMethodName:         {Callers: []string{"reconciliation"}},
	ordersv1.OrdersAdminService_MatchCharges_FullMethodName:       {Callers: []string{"reconciliation"}},
	ordersv1.OrdersAdminService_ListCompleted_FullMethodName:      {Callers: []string{"reconciliation"}},
	ordersv1.OrdersAdminService_ListStuckOrders_FullMethodName:    {Callers: []string{"reconciliation"}, Role: access.Viewer},
	ordersv1.OrdersAdminService_GetCharging_FullMethodName:        {Role: access.Viewer},
	ordersv1.OrdersAdminService_SetCharging_FullMethodName:        {Role: access.Admin},

	personalv1.PersonalDataService_ExportPerson_FullMethodName: {Callers: []string{"reconciliation"}},
	personalv1.PersonalDataService_ErasePerson_FullMethodName:  {Callers: []string{"reconciliation"}},
}
