package rpc

import (
	notificationsv1 "makegood.example/proto/gen/notifications/v1"
	personalv1 "makegood.example/proto/gen/personal/v1"
	"makegood.example/services/platform/access"
)

// Access says who may call what.
var Access = access.Table{
	notificationsv1.NotificationsService_CheckRecipient_FullMethodName:      {Callers: []string{"orders", "reconciliation"}},
	notificationsv1.NotificationsService_SendMessage_FullMethodName:         {Callers: []string{"orders", "reconciliation"}},
	notificationsv1.NotificationsService_ReportIncidents_FullMethodName:     {Callers: []string{"reconciliation"}},
	notificationsv1.NotificationsService_ListIncidents_FullMethodName:       {Role: access.Viewer},
	notificationsv1.NotificationsService_AcknowledgeIncident_FullMethodName: {Role: access.Support},
	notificationsv1.NotificationsService_SnoozeIncident_FullMethodName:      {Role: access.Support},
	notificationsv1.NotificationsService_FindMessages_FullMethodName:        {Callers: []string{"reconciliation"}},
	notificationsv1.NotificationsService_ListMessages_FullMethodName:        {Callers: []string{"reconciliation"}, Role: access.Viewer},

	personalv1.PersonalDataService_ExportPerson_FullMethodName: {Callers: []string{"reconciliation"}},
	personalv1.PersonalDataService_ErasePerson_FullMethodName:  {Callers: []string{"reconciliation"}},
}
