{{/* The programs: where a service listens, which programs may call it (the access
rules of the services say so, and a test compares), and which secrets and files are
whose. */}}
{{- define "makegood.programs" -}}
orders:
  port: 9101
  callers: [gateway, notifications, payments, reconciliation]
  backend: true
  secrets: [ORDERS_DATABASE_URL, ADMIN_TOKENS_FILE, SERVICE_TOKENS_FILE]
  files: [PLANS_FILE]
payments:
  port: 9102
  callers: [gateway, notifications, orders, reconciliation]
  secrets: [PAYMENTS_DATABASE_URL, ADMIN_TOKENS_FILE, SERVICE_TOKENS_FILE, STRIPE_SECRET_KEY, STRIPE_WEBHOOK_SECRETS]
  files: [OWNERSHIP_FILE]
provisioning:
  port: 9103
  callers: [gateway, notifications, orders, payments, reconciliation]
  backend: true
  secrets: [PROVISIONING_DATABASE_URL, ADMIN_TOKENS_FILE, SERVICE_TOKENS_FILE, ACCESS_HOOK_SECRETS]
  files: []
notifications:
  port: 9104
  callers: [gateway, orders, reconciliation]
  secrets: [NOTIFICATIONS_DATABASE_URL, ADMIN_TOKENS_FILE, SERVICE_TOKENS_FILE, SMTP_URL, SLACK_BOT_TOKEN, SLACK_WEBHOOK_URL]
  files: []
reconciliation:
  port: 9105
  callers: [gateway, notifications, orders, payments, provisioning]
  secrets: [RECONCILIATION_DATABASE_URL, ADMIN_TOKENS_FILE, SERVICE_TOKENS_FILE]
  files: []
gateway:
  callers: []
  secrets: []
  files: []
{{- end }}

{{/* The beginning of every name. It leaves room for the longest end, -tls-reconciliation. */}}
{{- define "makegood.name" -}}
{{- $name := .Release.Name -}}
{{- if not (contains "makegood" $name) }}{{ $name = printf "%s-makegood" $name }}{{ end -}}
{{- $name | trunc 43 | trimSuffix "-" -}}
{{- end }}

{{- define "makegood.selector" -}}
app.kubernetes.io/name: makegood
app.kubernetes.io/instance: {{ .root.Release.Name }}
app.kubernetes.io/component: {{ .program }}
{{- end }}

{{- define "makegood.labels" -}}
{{ include "makegood.selector" . }}
app.kubernetes.io/version: {{ .root.Values.image.tag | quote }}
app.kubernetes.io/managed-by: {{ .root.Release.Service }}
helm.sh/chart: {{ printf "%s-%s" .root.Chart.Name .root.Chart.Version | replace "+" "_" }}
{{- end }}

{{- define "makegood.image" -}}
{{- with .root.Values.image.registry }}{{ . }}/{{ end -}}
makegood/{{ .program }}:{{ .root.Values.image.tag }}
{{- with index .root.Values.image.digests .program }}@{{ . }}{{ end -}}
{{- end }}

{{/* What every container is held to. */}}
{{- define "makegood.containerSecurity" -}}
allowPrivilegeEscalation: false
readOnlyRootFilesystem: true
capabilities: {drop: [ALL]}
{{- end }}

{{- define "makegood.podSecurity" -}}
runAsNonRoot: true
runAsUser: 65532
runAsGroup: 65532
fsGroup: 65532
seccompProfile: {type: RuntimeDefault}
{{- end }}

{{/* STRIPE_SECRET_KEY lies in the file stripe-secret-key, ADMIN_TOKENS_FILE in
admin-tokens-file. */}}
{{- define "makegood.fileOf" -}}
/etc/makegood/secrets/{{ lower . | replace "_" "-" }}
{{- end }}

{{/* Each secret of the list that is used, as a setting that names its file. */}}
{{- define "makegood.secretSettings" -}}
{{- range .secrets }}
{{- if index $.root.Values.secrets . }}
- {name: {{ trimSuffix "_FILE" . }}_FILE, value: {{ include "makegood.fileOf" . }}}
{{- end }}
{{- end }}
{{- end }}

{{/* The same as the sources of a volume. */}}
{{- define "makegood.secretSources" -}}
{{- range $setting := .secrets }}
{{- with index $.root.Values.secrets $setting }}
- secret: {name: {{ .name }}, items: [{key: {{ .key | quote }}, path: {{ base (include "makegood.fileOf" $setting) }}}]}
{{- end }}
{{- end }}
{{- end }}

{{- define "makegood.tlsSecret" -}}
{{ .root.Values.tls.secretPrefix | default (printf "%s-tls" (include "makegood.name" .root)) }}-{{ .program }}
{{- end }}

{{/* How a program runs: the defaults, and what is said of it alone. */}}
{{- define "makegood.run" -}}
{{- $own := index .root.Values.overrides .program | default dict -}}
{{- mergeOverwrite (deepCopy .root.Values.defaults) $own | toYaml -}}
{{- end }}
