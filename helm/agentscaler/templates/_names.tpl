{{/* Names and labels shared by all objects of the release. */}}

{{- define "agentscaler.name" -}}
{{- default .Chart.Name .Values.nameOverride | trunc 63 | trimSuffix "-" }}
{{- end }}

{{- define "agentscaler.fullname" -}}
{{- $name := include "agentscaler.name" . }}
{{- if .Values.fullnameOverride }}
{{- .Values.fullnameOverride | trunc 63 | trimSuffix "-" }}
{{- else if contains $name .Release.Name }}
{{- .Release.Name | trunc 63 | trimSuffix "-" }}
{{- else }}
{{- printf "%s-%s" .Release.Name $name | trunc 63 | trimSuffix "-" }}
{{- end }}
{{- end }}

{{/* A Service's name has 63 characters at most. */}}
{{- define "agentscaler.webhook" -}}
{{- printf "%s-webhook" (include "agentscaler.fullname" . | trunc 55 | trimSuffix "-") }}
{{- end }}

{{- define "agentscaler.selector" -}}
app.kubernetes.io/name: {{ include "agentscaler.name" . }}
app.kubernetes.io/instance: {{ .Release.Name }}
{{- end }}

{{- define "agentscaler.labels" -}}
{{ include "agentscaler.selector" . }}
app.kubernetes.io/version: {{ .Chart.AppVersion | quote }}
app.kubernetes.io/component: operator
app.kubernetes.io/managed-by: {{ .Release.Service }}
helm.sh/chart: {{ printf "%s-%s" .Chart.Name .Chart.Version | replace "+" "_" }}
{{- end }}

{{- define "agentscaler.serviceAccount" -}}
{{- if .Values.serviceAccount.create }}
{{- default (include "agentscaler.fullname" .) .Values.serviceAccount.name }}
{{- else }}
{{- required "serviceAccount.name: name the account to use, or set serviceAccount.create" .Values.serviceAccount.name }}
{{- end }}
{{- end }}

{{/* What the operator may do where policies live: read, patch /scale, tell. */}}
{{- define "agentscaler.rules" -}}
- apiGroups: [agentscaler.dev]
  resources: [agentscalingpolicies]
  verbs: [get, list, watch]
- apiGroups: [agentscaler.dev]
  resources: [agentscalingpolicies/status]
  verbs: [patch]
{{- range .Values.scaleTargets }}
- apiGroups: [{{ .apiGroup | quote }}]
  resources: [{{ .resource }}]
  verbs: [get, list, watch]
- apiGroups: [{{ .apiGroup | quote }}]
  resources: [{{ .resource }}/scale]
  verbs: [get, patch]
{{- end }}
- apiGroups: [autoscaling]
  resources: [horizontalpodautoscalers]
  verbs: [get, list, watch]
{{- if .Values.keda.enabled }}
- apiGroups: [keda.sh]
  resources: [scaledobjects]
  verbs: [get, list, watch]
{{- end }}
{{- if .Values.drain.enabled }}
- apiGroups: [""]
  resources: [pods]
  verbs: [list, patch]
{{- end }}
{{- if .Values.policySecrets.enabled }}
- apiGroups: [""]
  resources: [secrets]
  verbs: [get]
{{- end }}
- apiGroups: [""]
  resources: [events]
  verbs: [create, patch]
{{- end }}

{{/* The replicas that a budget keeps, a percentage rounded up as Kubernetes does: not all of them. */}}
{{- define "agentscaler.kept" -}}
{{- $kept := int .budget.minAvailable }}
{{- if kindIs "string" .budget.minAvailable }}
{{- $kept = div (add (mul (trimSuffix "%" .budget.minAvailable | int) (int .replicas)) 99) 100 }}
{{- end }}
{{- if ge (int $kept) (int .replicas) }}
{{- fail (printf "%s.minAvailable: %v keeps all of %d replicas, so that no node could be drained: set less, or more replicas" .name .budget.minAvailable (int .replicas)) }}
{{- end }}
{{- $kept }}
{{- end }}

{{/* Ports of the metrics servers: those that are given, and those of all addresses, as JSON. */}}
{{- define "agentscaler.serverPorts" -}}
{{- $ports := list }}
{{- range .Values.networkPolicy.prometheusPorts }}
{{- $ports = append $ports (int .) }}
{{- end }}
{{- range prepend .Values.prometheus.allowedServers .Values.prometheus.url }}
{{- $url := urlParse . }}
{{- $usual := ternary ":443" ":80" (eq $url.scheme "https") }}
{{- $ports = append $ports (regexFind ":[0-9]+$" $url.host | default $usual | trimPrefix ":" | int) }}
{{- end }}
{{- uniq $ports | toJson }}
{{- end }}
