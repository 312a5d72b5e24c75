{{/* The command line of the operator; `agentscaler run --help` describes each. */}}
{{- define "agentscaler.args" -}}
{{- $url := required "prometheus.url: set the address of your Prometheus, such as http://prometheus-operated.monitoring:9090" .Values.prometheus.url -}}
- --prometheus-url={{ $url }}
{{- with .Values.prometheus.bearerTokenSecret }}
{{- if .name }}
- --prometheus-bearer-token-file=/etc/agentscaler/prometheus-token/{{ .key }}
{{- end }}
{{- end }}
{{- with .Values.prometheus.caSecret }}
{{- if .name }}
- --prometheus-ca-file=/etc/agentscaler/prometheus-ca/{{ .key }}
{{- end }}
{{- end }}
{{- with .Values.prometheus.tenant }}
- {{ printf "--prometheus-tenant=%s" . | quote }}
{{- end }}
{{- range .Values.prometheus.allowedServers }}
- --allow-server={{ . }}
{{- end }}
{{- range .Values.tenancy.trustedNamespaces }}
- --trust-namespace={{ . }}
{{- end }}
{{- range .Values.tenancy.sharedNamespaces }}
- --share-namespace={{ . }}
{{- end }}
{{- range .Values.watchNamespaces }}
- --namespace={{ . }}
{{- end }}
{{- if not .Values.keda.enabled }}
- --no-keda
{{- end }}
- --lease-namespace={{ .Release.Namespace }}
- --lease-name={{ .Values.leaderElection.leaseName }}
{{- if gt (int .Values.shards) 1 }}
- --shards={{ .Values.shards }}
{{- end }}
- --listen=0.0.0.0:8080
{{- if .Values.webhook.enabled }}
- --webhook-listen=0.0.0.0:8443
- --webhook-certificate=/etc/agentscaler/webhook
{{- end }}
- --api-rate={{ .Values.apiRate }}
- --log-level={{ .Values.logLevel }}
- --log-format={{ .Values.logFormat }}
{{- end }}
