{{/* Egress that API and worker share: names and Redis. */}}
{{- define "backchannel.network.egress" -}}
- to:
    {{- toYaml .Values.networkPolicy.dnsTo | nindent 4 }}
  ports:
    - {protocol: UDP, port: 53}
    - {protocol: TCP, port: 53}
{{- if eq .Values.redis.mode "bundled" }}
- to:
    - podSelector:
        matchLabels:
          {{- include "backchannel.selector" . | nindent 10 }}
          app.kubernetes.io/component: redis
  ports:
    - {protocol: TCP, port: 6379}
{{- else }}
{{- if not .Values.networkPolicy.redisTo }}
{{- fail "networkPolicy.redisTo must say where Redis is, such as [{ipBlock: {cidr: 10.0.7.0/24}}]; or set networkPolicy.enabled to false" }}
{{- end }}
- to:
    {{- toYaml .Values.networkPolicy.redisTo | nindent 4 }}
  ports:
    {{- range .Values.networkPolicy.redisPorts }}
    - {protocol: TCP, port: {{ . }}}
    {{- end }}
{{- end }}
{{- if .Values.otel.endpoint }}
{{- if not .Values.networkPolicy.otelTo }}
{{- fail "networkPolicy.otelTo must say where otel.endpoint is, such as [{namespaceSelector: {matchLabels: {kubernetes.io/metadata.name: observability}}}]; or set networkPolicy.enabled to false" }}
{{- end }}
- to:
    {{- toYaml .Values.networkPolicy.otelTo | nindent 4 }}
  ports:
    {{- range .Values.networkPolicy.otelPorts }}
    - {protocol: TCP, port: {{ . }}}
    {{- end }}
{{- end }}
{{- with .Values.networkPolicy.extraEgress }}
{{ toYaml . }}
{{- end }}
{{- end -}}

{{- define "backchannel.network.metrics" -}}
- from:
    {{- toYaml .Values.networkPolicy.metricsFrom | nindent 4 }}
  ports:
    - {protocol: TCP, port: metrics}
{{- end -}}
