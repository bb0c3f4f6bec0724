package httpd

import "net"

// ListenAt has a server that does not serve yet answer at another listener.
func (s *Server) ListenAt(l net.Listener) {
	s.listener.Close()
	s.listener = l
}

// Listener is where the server answers.
func (s *Server) Listener() net.Listener { return s.listener }
