// Stands in for tiny-process-library, which Debian doesn't package: what Mender 5.1.0 uses of it
// (the constructor, get_id, get_exit_status), with the same behaviour:
//
//   - the child leads a process group of its own, so that Mender's kill(-pid) reaches its children;
//   - a stream with a callback is read by a thread of its own, one without is inherited;
//   - no descriptor of the parent reaches the child;
//   - the exit status is the exit code, or the number of the signal that ended it.
#ifndef DRIMBOX_TINY_PROCESS_HPP
#define DRIMBOX_TINY_PROCESS_HPP

#include <cerrno>
#include <csignal>
#include <cstddef>
#include <functional>
#include <string>
#include <thread>
#include <vector>

#include <fcntl.h>
#include <sys/wait.h>
#include <unistd.h>

namespace TinyProcessLib {

class Process {
public:
	using id_type = pid_t;
	using Callback = std::function<void(const char *, std::size_t)>;

	Process(const std::vector<std::string> &args, const std::string &folder = {}, Callback out = nullptr, Callback err = nullptr) {
		if (args.empty()) {
			return;
		}
		Pipe out_pipe(static_cast<bool>(out)), err_pipe(static_cast<bool>(err));
		if (out_pipe.failed || err_pipe.failed) {
			return;
		}
		// Other threads may hold the allocator's lock at fork(): all memory is taken before it.
		std::vector<char *> argv;
		for (auto &arg : args) {
			argv.push_back(const_cast<char *>(arg.c_str()));
		}
		argv.push_back(nullptr);

		id_ = fork();
		if (id_ == 0) {
			RunChild(argv.data(), folder.c_str(), out_pipe.end[1], err_pipe.end[1]);
		}
		if (id_ > 0) {
			setpgid(id_, id_); // also here: a kill of the group may come before the child has run
			Read(out_pipe, std::move(out));
			Read(err_pipe, std::move(err));
		}
	}

	~Process() {
		JoinReaders();
	}

	Process(const Process &) = delete;
	Process &operator=(const Process &) = delete;

	// -1 when it could not be started.
	id_type get_id() const noexcept {
		return id_;
	}

	// Waits for the end of the process and of all that it wrote. Called by one thread at a time.
	int get_exit_status() {
		if (id_ <= 0) {
			return -1;
		}
		if (!reaped_) {
			int status = 0;
			pid_t got;
			do {
				got = waitpid(id_, &status, 0);
			} while (got < 0 && errno == EINTR);
			exit_status_ = got < 0 ? -1 : WIFEXITED(status) ? WEXITSTATUS(status) : WTERMSIG(status);
			reaped_ = true;
		}
		JoinReaders();
		return exit_status_;
	}

private:
	struct Pipe {
		int end[2] {-1, -1};
		bool failed {false};

		explicit Pipe(bool wanted) : failed {wanted && pipe2(end, O_CLOEXEC) != 0} {}
		~Pipe() {
			for (int fd : end) {
				if (fd >= 0) {
					close(fd);
				}
			}
		}
	};

	// Only async-signal-safe calls.
	[[noreturn]] static void RunChild(char *const *argv, const char *folder, int out, int err) {
		if (out >= 0) {
			dup2(out, STDOUT_FILENO);
		}
		if (err >= 0) {
			dup2(err, STDERR_FILENO);
		}
		close_range(3, ~0U, 0);
		setpgid(0, 0);
		signal(SIGPIPE, SIG_DFL); // ignored in Mender; a shell's pipeline counts on it
		if (*folder == '\0' || chdir(folder) == 0) {
			execvp(argv[0], argv);
		}
		_exit(EXIT_NOT_STARTED);
	}

	void Read(Pipe &pipe, Callback callback) {
		if (!callback) {
			return;
		}
		int fd = pipe.end[0];
		pipe.end[0] = -1; // the thread closes it
		readers_.emplace_back([fd, callback = std::move(callback)]() {
			std::vector<char> buffer(BUFFER_BYTES);
			for (;;) {
				auto got = read(fd, buffer.data(), buffer.size());
				if (got > 0) {
					callback(buffer.data(), static_cast<std::size_t>(got));
				} else if (got == 0 || errno != EINTR) {
					break;
				}
			}
			close(fd);
		});
	}

	void JoinReaders() {
		for (auto &reader : readers_) {
			if (reader.joinable()) {
				reader.join();
			}
		}
	}

	static constexpr int EXIT_NOT_STARTED = 1;             // as the library has it
	static constexpr std::size_t BUFFER_BYTES = 128 * 1024; // as the library has it

	id_type id_ {-1};
	bool reaped_ {false};
	int exit_status_ {-1};
	std::vector<std::thread> readers_;
};

} // namespace TinyProcessLib

#endif
